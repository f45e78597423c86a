"""`python -m edge_infer folder/` is `cxr-infer folder/`, also from a clone."""

if __name__ == "__main__":
    # Inside the guard: the worker processes import this module again and need no command line.
    from edge_infer.cli import main

    main()
