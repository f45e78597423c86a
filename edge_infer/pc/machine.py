"""What this PC has: cores, memory and the processor's name, from the operating system alone.

What needs ctypes imports it late: 5 ms that `--help` would pay.

psutil would tell most of it, and would be one more compiled package to install in a clinic.
Whatever cannot be found out is None, or for the cores a careful guess.
"""

from __future__ import annotations

import contextlib
import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MOST_WORKERS: Final = 30
"""Windows waits for at most 63 things at once: of each worker its pipe and, while it starts, the
process."""
_CPUS = Path("/sys/devices/system/cpu")
_QUOTA = Path("/sys/fs/cgroup/cpu.max")
_RELATION_PROCESSOR_CORE = 0


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Bytes of main memory."""

    total: int
    available: int | None
    """What programs can get without the PC starting to swap."""


def physical_cores() -> int:
    """Return the cores this process may use, the two threads of one core counted once; at least 1.

    Where the operating system does not tell: half of the logical processors, but both of two.
    """
    found = None
    with contextlib.suppress(OSError, AttributeError, ValueError):
        if sys.platform == "win32":
            found = _cores_on_windows()
        elif sys.platform == "darwin":
            found = _sysctl_integer(b"hw.physicalcpu")
        else:
            found = _cores_on_linux()
    logical = _logical_processors()
    return found or (logical if logical <= 2 else logical // 2)


def _logical_processors() -> int:
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def default_workers() -> int:
    """Return how many processes screen films where nobody says: one per physical core."""
    return min(physical_cores(), MOST_WORKERS)


def read_memory() -> Memory | None:
    """Return this PC's memory; None where the operating system does not tell."""
    with contextlib.suppress(OSError, AttributeError, ValueError, KeyError):
        if sys.platform == "win32":
            return _memory_on_windows()
        if sys.platform == "darwin":
            total = _sysctl_integer(b"hw.memsize")
            return Memory(total=total, available=None) if total else None
        fields = dict(
            line.split(":", 1) for line in Path("/proc/meminfo").read_text("ascii").splitlines()
        )
        total, available = (
            int(fields[name].split()[0]) * 1024 for name in ("MemTotal", "MemAvailable")
        )
        return Memory(total=total, available=available)
    return None


def processor_name() -> str:
    """Return the processor's name as its maker writes it, or at least its architecture."""
    with contextlib.suppress(OSError, AttributeError, ValueError):
        if sys.platform == "win32":
            return _name_on_windows()
        if sys.platform == "darwin":
            return _sysctl_text(b"machdep.cpu.brand_string")
        for line in Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.machine()


def _cores_on_linux() -> int:
    cpus = os.sched_getaffinity(0)
    siblings = "topology/thread_siblings_list"
    cores = {(_CPUS / f"cpu{number}" / siblings).read_text("ascii") for number in cpus}
    with contextlib.suppress(OSError, ValueError):
        # A container may see every core and be given the time of two.
        quota, period = _QUOTA.read_text("ascii").split()
        return max(1, min(len(cores), int(quota) // int(period)))
    return len(cores)


def _cores_on_windows() -> int | None:
    """Count the records of RelationProcessorCore; each starts with its kind and its size."""
    if sys.platform != "win32":
        return None
    import ctypes

    ask = ctypes.windll.kernel32.GetLogicalProcessorInformationEx
    size = ctypes.c_ulong(0)
    ask(_RELATION_PROCESSOR_CORE, None, ctypes.byref(size))
    buffer = ctypes.create_string_buffer(size.value)
    if not ask(_RELATION_PROCESSOR_CORE, buffer, ctypes.byref(size)):
        return None
    count, at = 0, 0
    while at + 8 <= size.value:
        at += int.from_bytes(buffer.raw[at + 4 : at + 8], "little") or size.value
        count += 1
    return count


def _memory_on_windows() -> Memory | None:
    if sys.platform != "win32":
        return None
    import ctypes

    class MemoryStatus(ctypes.Structure):  # MEMORYSTATUSEX
        _fields_ = (
            ("length", ctypes.c_ulong),
            ("load", ctypes.c_ulong),
            ("total", ctypes.c_ulonglong),
            ("available", ctypes.c_ulonglong),
            ("rest", ctypes.c_ulonglong * 5),
        )

    status = MemoryStatus(length=ctypes.sizeof(MemoryStatus))
    if not ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)):
        return None
    return Memory(total=status.total, available=status.available)


def _name_on_windows() -> str:
    if sys.platform != "win32":
        return platform.machine()
    import winreg

    place = r"HARDWARE\DESCRIPTION\System\CentralProcessor\0"
    with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, place) as key:
        return str(winreg.QueryValueEx(key, "ProcessorNameString")[0]).strip()


def _sysctl_integer(name: bytes) -> int | None:
    import ctypes

    value, size = ctypes.c_uint64(0), ctypes.c_size_t(8)
    failed = ctypes.CDLL(None).sysctlbyname(
        name, ctypes.byref(value), ctypes.byref(size), None, ctypes.c_size_t(0)
    )
    return None if failed else value.value


def _sysctl_text(name: bytes) -> str:
    import ctypes

    buffer = ctypes.create_string_buffer(256)
    size = ctypes.c_size_t(len(buffer))
    if ctypes.CDLL(None).sysctlbyname(name, buffer, ctypes.byref(size), None, ctypes.c_size_t(0)):
        return platform.machine()
    return buffer.value.decode("utf-8", "replace")
