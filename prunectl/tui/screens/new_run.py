"""Compose a run: a preset, its fields, what it will cost, and its command line."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import OptionList, Select, Static
from textual.widgets.option_list import Option

from core.errors import PrunectlError
from core.spec import Spec
from core.sweep_spec import SweepSpec
from prunectl import words
from prunectl.tui.actions import NEW_RUN, bindings
from prunectl.tui.drawing import Line, clean
from prunectl.tui.form import Form, preset_choices
from prunectl.tui.form_sweep import SECTION, SweepForm, open_form
from prunectl.tui.predicting import prediction_lines
from prunectl.tui.screens.base import GENEROUS, TIGHT
from prunectl.tui.screens.dialogs import Ask
from prunectl.tui.screens.launch import LaunchScreen
from prunectl.tui.screens.new_run_layout import LAYOUT, SIDE
from prunectl.tui.screens.new_run_text import command_lines, help_lines, marked, problem_lines
from prunectl.tui.screens.save_as import SaveAs
from prunectl.tui.widgets.field_row import Choice, FieldRow
from prunectl.tui.widgets.panel import Panel


class NewRunScreen(LaunchScreen):
    """The form of a run to be started in ``runs_dir``."""

    where = NEW_RUN
    BINDINGS: ClassVar = [
        *bindings(NEW_RUN),
        ("up", "app.focus_previous"),
        ("down", "app.focus_next"),
    ]
    DEFAULT_CSS = LAYOUT

    def __init__(self, runs_dir: Path, preset: str = "quickstart") -> None:
        super().__init__(runs_dir)
        self.presets = preset_choices()
        known = [name for name, _ in self.presets]
        self.form = _opened(preset if preset in known or not known else known[0])
        self.section = self.form.check().sections()[0]
        self._shown_paths: tuple[str, ...] = ()

    def body(self) -> ComposeResult:
        """Preset, sections, fields, prediction and problems, command line."""
        with Horizontal(id="top"):
            names = [(name, name) for name, _ in self.presets]
            yield Choice(names, self.form.source, name="preset")
            yield Static(id="about")
        yield Static(id="where")
        with Horizontal(id="middle"):
            yield OptionList(id="sections", markup=False)
            with Vertical(id="form"):
                yield VerticalScroll(id="fields", can_focus=False)
                help_lines = Panel(self._help, id="help")
                help_lines.can_focus = False
                yield help_lines
            yield Panel(self._side, "prediction", id="side")
        command = Panel(self._command, id="command")
        command.can_focus = False
        yield command

    def on_mount(self) -> None:
        """Show the first section."""
        super().on_mount()
        self.call_later(self._show_form)

    def layout_changed(self) -> None:
        """The command line takes as many lines as it needs, where there is room."""
        if self.is_mounted:
            self._update()

    # What is shown

    async def _show_form(self) -> None:
        sections = self.query_one("#sections", OptionList)
        checked = self.form.check()
        sections.clear_options()
        sections.add_options([Option(section, id=section) for section in checked.sections()])
        if self.section not in checked.sections():
            self.section = checked.sections()[0]
        await self._show_section()
        self._update()
        if self.focused is None or self._row():
            self._focus_first()

    async def _show_section(self) -> None:
        checked = self.form.check()
        fields = checked.of_section(self.section)
        paths = tuple(field.path for field in fields)
        if paths == self._shown_paths:
            return
        row = self._row()
        held = row.field.path if row else ""
        self._shown_paths = paths
        area = self.query_one("#fields", VerticalScroll)
        with self.app.batch_update():
            await area.remove_children()
            rows = [FieldRow(field, self.form.text(field.path)) for field in fields]
            await area.mount_all(rows)
        area.scroll_home(animate=False)
        for row in rows:
            if row.field.path == held:
                row.control.focus()

    def _focus_first(self) -> None:
        rows = self.query(FieldRow)
        if rows:
            rows.first().control.focus()

    def _update(self) -> None:
        checked, changed = self.form.check(), self.form.changed()
        for row in self.query(FieldRow):
            path = row.field.path
            row.show(self.form.text(path), checked.at(row.field), changed=path in changed)
        self._update_sections()
        about = dict(self.presets).get(self.form.source, "")
        self.query_one("#about", Static).update(Text(clean(about), "dim", no_wrap=True))
        command = self.query_one("#command", Panel)
        most = 2 if self.size_class == TIGHT else 4
        command.styles.height = min(len(self._command(self.size.width - 2, 0)), most)
        command.redraw()
        self.prediction_changed()

    def prediction_changed(self) -> None:
        """Draw what stands beside the fields, in as much room as it needs."""
        side, middle = self.query_one("#side", Panel), self.query_one("#middle")
        side.border_title = "problems" if self.form.check().problems else "prediction"
        wide = SIDE if self.size_class == GENEROUS else self.size.width
        lines = len(self._side(wide - 4, 0))
        side.styles.height = lines + 2 if self.size_class == GENEROUS else "100%"
        if self.size_class == TIGHT:
            middle.styles.grid_rows = f"1fr {min(lines, 3)}"
        else:
            middle.styles.grid_rows = f"1fr {min(lines + 2, 9)}"
        side.redraw()

    def _update_sections(self) -> None:
        checked, changed = self.form.check(), self.form.changed()
        listed = checked.sections()
        sections = self.query_one("#sections", OptionList)
        for index, section in enumerate(listed):
            sections.replace_option_prompt_at_index(index, marked(section, checked, changed))
        place = listed.index(self.section)
        with sections.prevent(OptionList.OptionHighlighted):
            sections.highlighted = place
        said = f"{self.section} ({place + 1} of {len(listed)})"
        if changed:
            said += f", {words.plural(len(changed), 'change')}"
        self.query_one("#where", Static).update(Text(said))

    def _side(self, width: int, height: int) -> list[Line]:
        checked = self.form.check()
        if checked.problems:
            return problem_lines(checked.problems, width)
        wanted = self.wanted()
        found = self.predictor.of(wanted) if wanted else None
        return prediction_lines(found, checked.spec, width, short=self.size_class == TIGHT)

    def _help(self, width: int, height: int) -> list[Line]:
        row = self._row()
        if row is None:
            return []
        return help_lines(row.field, width)

    def _row(self) -> FieldRow | None:
        """The field that has the focus."""
        row = self.focused.parent if self.focused else None
        return row if isinstance(row, FieldRow) else None

    def on_descendant_focus(self) -> None:
        """Help follows the focus."""
        self.query_one("#help", Panel).redraw()

    def _command(self, width: int, height: int) -> list[Line]:
        return command_lines(self.form.command(self.runs_dir), width)

    # What the user does

    @on(OptionList.OptionHighlighted, "#sections")
    async def _section_chosen(self, event: OptionList.OptionHighlighted) -> None:
        if event.option.id and event.option.id != self.section:
            await self._go_to(event.option.id)

    @on(OptionList.OptionSelected, "#sections")
    def _section_entered(self) -> None:
        self._focus_first()

    @on(FieldRow.Edited)
    async def _field_edited(self, event: FieldRow.Edited) -> None:
        if self.form.set(event.path, event.text):
            await self._show_section()
            self._update()

    @on(Select.Changed, "#preset")
    def _preset_chosen(self, event: Select.Changed) -> None:
        event.stop()
        if event.value == self.form.source or not isinstance(event.value, str):
            return
        name = event.value
        changes = len(self.form.changed())
        if not changes:
            self.run_worker(self._open(name))
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self.run_worker(self._open(name))
            else:
                self.query_one("#preset", Choice).show(self.form.source)

        self.app.push_screen(Ask(f"Drop {words.plural(changes, 'change')}?"), answered)

    async def _open(self, name: str) -> None:
        try:
            self.form = open_form(name)
        except PrunectlError as error:
            self.say(str(error), wrong=True)
            self.query_one("#preset", Choice).show(self.form.source)
            return
        self._shown_paths = ()
        if isinstance(self.form, SweepForm):
            self.section = SECTION  # what varies is what it is about
        await self._show_form()

    async def _go_to(self, section: str) -> None:
        self.section = section
        await self._show_section()
        self._update()

    async def action_section(self, by: int) -> None:
        """The next section, or the one before."""
        sections = self.form.check().sections()
        place = (sections.index(self.section) + by) % len(sections)
        in_list = self.query_one("#sections").has_focus
        await self._go_to(sections[place])
        if not in_list:
            self._focus_first()

    def action_choose_preset(self) -> None:
        """Open the list of presets."""
        preset = self.query_one("#preset", Choice)
        preset.focus()
        preset.action_show_overlay()

    def action_reset_field(self) -> None:
        """The focused field as the preset has it."""
        row = self._row()
        if row is not None:
            self.form.reset(row.field.path)
            row.put(self.form.text(row.field.path))
            self.run_worker(self._after_reset())

    async def _after_reset(self) -> None:
        await self._show_section()
        self._update()

    def action_copy_command(self) -> None:
        """The command line into the clipboard."""
        self.app.copy_to_clipboard(self.form.command(self.runs_dir))
        self.say("the command line is copied")

    def action_save_preset(self) -> None:
        """Ask for a name and write the file."""
        if self.checked() is not None:
            self.app.push_screen(SaveAs(self.form), self._saved)

    def _saved(self, file: Path | None) -> None:
        if file is None:
            return
        self.say(f"saved as {file}")
        self.presets = preset_choices()
        preset = self.query_one("#preset", Choice)
        with preset.prevent(Select.Changed):
            preset.set_options([(Text(name, no_wrap=True), name) for name, _ in self.presets])
            preset.value = file.stem
        self.run_worker(self._open(file.stem))

    def action_back(self) -> None:
        """Leave the form."""
        self.app.pop_screen()

    def wanted(self) -> Spec | SweepSpec | None:
        """What would be started, None while there are problems."""
        form = self.form
        return form.sweep() if isinstance(form, SweepForm) else form.check().spec

    def checked(self) -> Spec | SweepSpec | None:
        """The same; problems are said to be in the way."""
        wanted = self.wanted()
        if wanted is None:
            count = len(self.form.check().problems)
            self.say(f"first mend {words.plural(count, 'problem')}", wrong=True)
        return wanted


def _opened(preset: str) -> Form:
    try:
        return open_form(preset)
    except PrunectlError:
        return Form(preset, {})
