"""Time of named functions, each without what it spent in other named ones."""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from importlib import import_module
from typing import Any


class Stopwatch:
    """Collects seconds per stage while the functions of the stages are wrapped."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.spent: dict[str, float] = defaultdict(float)
        self.clock = clock
        self._inner: list[float] = []

    def wrap(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return `function` with its own time, less that of wrapped ones inside, added up."""

        @wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            self._inner.append(0.0)
            started = self.clock()
            try:
                return function(*args, **kwargs)
            finally:
                took = self.clock() - started
                self.spent[stage] += took - self._inner.pop()
                if self._inner:
                    self._inner[-1] += took

        return timed

    def install(self, stages: Mapping[str, Sequence[str]], package: str) -> None:
        """Wrap the functions named `module:function` wherever `package` holds them, for good."""
        found: list[tuple[str, Callable[..., Any]]] = []
        for stage, names in stages.items():
            for name in names:
                home, _, attribute = name.partition(":")
                found.append((stage, getattr(import_module(f"{package}.{home}"), attribute)))
        modules = [module for name, module in sys.modules.items() if name.startswith(package)]
        for stage, function in found:
            timed = self.wrap(stage, function)
            for module in modules:
                # A function imported by name is an attribute of every module that did so.
                for name, value in list(vars(module).items()):
                    if value is function:
                        setattr(module, name, timed)

    def take(self) -> dict[str, float]:
        """Return the seconds per stage since the last call."""
        spent = dict(self.spent)
        self.spent.clear()
        return spent
