"""The options ``epoch`` and ``span`` for score plug-ins; they are :mod:`core.span`, which the plan
uses too."""

from core.span import Span, epochs_read, span_of

__all__ = ["Span", "epochs_read", "span_of"]
