#!/usr/bin/env python3
"""Copy the database of a run, so that it can be committed: with paths relative to the working folder, and with the
final model where it is published.

    python publish.py RUN/run.db OUT/run.db RUN/MODEL OUT/MODEL
"""

import sqlite3
import sys
from pathlib import Path

PATHS = (("stage_models", "model"), ("lengths", "model"), ("pass_keys", "model"), ("choices", "model"),
         ("configuration", "path"), ("configuration", "overrides"))  # fmt: skip


def main() -> None:
    source, target, model, published = map(Path, sys.argv[1:])
    part = target.with_name(target.name + ".part")
    part.unlink(missing_ok=True)
    sqlite3.connect(source).execute("VACUUM INTO ?", (str(part),))
    copy = sqlite3.connect(part)
    for table, column in PATHS:
        copy.execute(f"UPDATE {table} SET {column} = replace({column}, ?, '')", (f"{Path.cwd()}/",))
        copy.execute(f"UPDATE {table} SET {column} = ? WHERE {column} = ?", (str(published), str(model)))
    copy.commit()
    copy.close()
    part.replace(target)


if __name__ == "__main__":
    main()
