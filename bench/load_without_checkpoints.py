"""custimport with an interval between checkpoints that no load reaches; takes the program's own arguments.

The other side of "load with checkpoints": the lease is not renewed either, so the load must take less than 30 seconds.
"""

from custimport import settings

settings.CHECKPOINT_SECONDS = 86_400.0  # type: ignore[misc]  # before anybody has read it

if __name__ == "__main__":
    from custimport.__main__ import main

    main()
