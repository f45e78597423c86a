"""What the page shows now, renewed as the day's store changes, and who waits for a change."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from edge_infer.desk.html import Surroundings, render_groups, render_head, render_lines
from edge_infer.desk.live_day import LiveDay, LiveReader
from edge_infer.errors import CxrError
from edge_infer.films.find import FoundFilms
from edge_infer.store.day_view import Changes, DayView

_EVERY_S = 0.5


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What the page shows, and since which version each part of it is as it is."""

    version: int
    live: LiveDay
    view: DayView = field(repr=False)
    head: dict[str, str]
    groups: dict[str, list[str]]
    lines: dict[str, str] = field(repr=False)
    """Each examination's lines by key."""
    changed_in: dict[str, int]
    """Version in which each examination's lines changed last."""

    def since(self, version: int) -> dict[str, Any]:
        """Return what a page of an earlier version lacks."""
        return {
            "version": self.version,
            "head": self.head,
            "groups": self.groups,
            "lines": {key: self.lines[key] for key, at in self.changed_in.items() if at > version},
        }

    def rest(self, version: int) -> dict[str, str]:
        """Return the lines that are as they were: the page of that version came without most."""
        return {key: self.lines[key] for key, at in self.changed_in.items() if at <= version}


class Feed:
    """Keeps what is shown up to date in a thread of its own."""

    def __init__(
        self,
        reader: LiveReader,
        around: Surroundings,
        *,
        folder: Callable[[], Path],
        is_whole: bool,
    ) -> None:
        """Begin to look; `folder` says where today's store lies.

        Raises ReportError where it cannot be read.
        """
        self.reader, self.around = reader, around
        self._folder, self._is_whole = folder, is_whole
        self._poked, self.has_ended = threading.Event(), False
        self._waiting: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()
        self._changes: Changes | None = None
        self._beside = FoundFilms()
        self._thread = threading.Thread(target=self._run, name="desk-feed", daemon=True)
        self.shown = self._look(None)
        self._thread.start()

    def close(self) -> None:
        """Stop looking, and let everybody go who waits."""
        self.has_ended = True
        self._poked.set()
        self._wake()
        self._thread.join()

    def poke(self) -> None:
        """Look at once: something was said."""
        self._poked.set()

    def tell_trouble(self, text: str) -> None:
        """Show what keeps the watch from its work; an empty text where nothing does."""
        if text != self.around.trouble:
            self.around = replace(self.around, trouble=text)
            self._poked.set()

    def tell_found(self, found: FoundFilms) -> None:
        """Show what lies beside the films: packed files, folders that cannot be opened."""
        self._beside = replace(found, films=())
        self._poked.set()

    async def wait_beyond(self, version: int, *, patience_s: float) -> Shown | None:
        """Return what is shown once it is newer than `version`; None if patience ends first."""
        me = (asyncio.get_running_loop(), asyncio.Event())
        self._waiting.add(me)
        try:
            if self.shown.version <= version and not self.has_ended:
                async with asyncio.timeout(patience_s):
                    await me[1].wait()
        except TimeoutError:
            return None
        finally:
            self._waiting.discard(me)
        return self.shown

    def _run(self) -> None:
        while not self.has_ended:
            was_poked = self._poked.wait(_EVERY_S)
            self._poked.clear()
            try:
                if was_poked or self._has_changed():
                    self._renew()
            except CxrError as error:
                # A drive gone for a moment; the page says so and goes on.
                self._changes = None
                self.around = replace(self.around, trouble=str(error))
                self._renew_head()
        if self._changes is not None:
            self._changes.close()

    def _has_changed(self) -> bool:
        folder = self._folder()
        if self._changes is None or self._changes.folder != folder:
            if self._changes is not None:
                self._changes.close()
            self._changes = Changes(folder)
        return self._changes.any()

    def _renew(self) -> None:
        new = self._look(self.shown)
        is_same = (new.head, new.groups, new.lines) == (
            self.shown.head,
            self.shown.groups,
            self.shown.lines,
        )
        # What is shown alike may still have other numbers behind it.
        self._publish(replace(new, version=self.shown.version) if is_same else new)

    def _renew_head(self) -> None:
        head = render_head(self.shown.live, self.around)
        if head != self.shown.head:
            self._publish(replace(self.shown, head=head, version=self.shown.version + 1))

    def _publish(self, new: Shown) -> None:
        is_news = new.version != self.shown.version
        self.shown = new
        if is_news:
            self._wake()

    def _wake(self) -> None:
        for loop, event in list(self._waiting):
            with contextlib.suppress(RuntimeError):  # its loop has ended
                loop.call_soon_threadsafe(event.set)

    def _look(self, before: Shown | None) -> Shown:
        view = DayView(self._folder())
        live = self.reader.read(view, self._beside, is_whole=self._is_whole)
        version = before.version + 1 if before is not None else 1
        lines = {one.key: render_lines(one, live, self.around.words) for one in live.studies}
        changed_in = {
            key: before.changed_in[key]
            if before is not None and before.lines.get(key) == html
            else version
            for key, html in lines.items()
        }
        return Shown(
            version=version,
            live=live,
            view=view,
            head=render_head(live, self.around),
            groups=render_groups(live),
            lines=lines,
            changed_in=changed_in,
        )
