"""`python -m edge_infer folder/` is `cxr-infer folder/`, also from a clone."""

from __future__ import annotations

import gc


def main() -> None:
    """Run the command. The script's name for it: workers import the script again, and this module
    costs them nothing where `infer` would cost each 30 ms."""
    from edge_infer.pc.native_code import forgo_wmi

    forgo_wmi()
    from edge_infer.commands.infer import main as run

    try:
        run()
    finally:
        # The process ends here: without this Python looks for cycles among all that was imported,
        # 20 ms.
        gc.freeze()


if __name__ == "__main__":
    main()
