import gc

import pytest

from core.imports import quick_imports


def test_garbage_is_not_looked_for_meanwhile_and_is_afterwards() -> None:
    with quick_imports():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_a_module_that_is_missing_leaves_the_collector_on() -> None:
    with pytest.raises(ModuleNotFoundError), quick_imports():
        import no_such_module  # type: ignore[import-not-found]  # that is the point  # noqa: F401
    assert gc.isenabled()
