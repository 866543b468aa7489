"""`python -m bridge.cli` is `gsmbridge`."""

from bridge.cli import main

raise SystemExit(main())
