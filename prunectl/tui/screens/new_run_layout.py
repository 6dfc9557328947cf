"""Where the parts of the form stand, by the size of the terminal."""

SIDE = 42
"""Cells of width of the prediction where it stands beside the form."""

LAYOUT = """
NewRunScreen #top { height: 1; padding: 0 1; }
NewRunScreen #preset { width: 30; height: 1; }
NewRunScreen #preset SelectCurrent { background: $panel; border: none !important;
  padding: 0 1 !important; }
NewRunScreen #preset:focus > SelectCurrent { background: $primary 30%; }
NewRunScreen #about { width: 1fr; padding: 0 1; }
NewRunScreen #middle { height: 1fr; margin-top: 1; }
NewRunScreen #sections { width: 16; border: none; background: $background; padding: 0 1;
  height: 100%; scrollbar-size-vertical: 1; }
NewRunScreen #form { width: 1fr; height: 100%; }
NewRunScreen #fields { width: 1fr; height: 1fr; scrollbar-size-vertical: 1; }
NewRunScreen #help { height: 2; padding: 0 1; display: none; }
NewRunScreen #where { height: 1; padding: 0 1; color: $foreground-muted; display: none; }
NewRunScreen #side { width: @SIDE@; height: 100%; max-height: 100%;
  border: round $foreground 25%; padding: 0 1; border-title-color: $foreground-muted; }
NewRunScreen #side:focus { border: round $accent; }
NewRunScreen #command { height: 1; padding: 0 1; margin-top: 1; }
NewRunScreen.-good #middle, NewRunScreen.-tight #middle { layout: grid; grid-size: 2;
  grid-columns: 17 1fr; grid-rows: 1fr 8; }
NewRunScreen.-good #side { column-span: 2; width: 100%; }
NewRunScreen.-generous FieldRow { grid-columns: 23 1fr; margin-bottom: 1; }
NewRunScreen.-good FieldRow { grid-columns: 22 1fr; }
NewRunScreen.-tight FieldRow { grid-columns: 15 1fr; }
NewRunScreen.-good .note, NewRunScreen.-tight .note { display: none; }
NewRunScreen .-wrong > .note { display: block; }
NewRunScreen.-good #help, NewRunScreen.-tight #help { display: block; }
NewRunScreen.-tight #middle { grid-size: 1; grid-columns: 1fr; grid-rows: 1fr 2;
  margin-top: 0; }
NewRunScreen.-tight #sections { display: none; }
NewRunScreen.-tight #where { display: block; }
NewRunScreen.-tight #side { border: none; width: 100%; }
NewRunScreen.-tight #help { height: 1; }
NewRunScreen.-tight #command { margin-top: 0; }
NewRunScreen.-tiny > * { display: none; }
NewRunScreen.-tiny > .enlarge { display: block; }
""".replace("@SIDE@", str(SIDE))
