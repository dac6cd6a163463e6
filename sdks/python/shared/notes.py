"""What a program remembers of its run, so that the next run goes on where this one was killed."""

import json
import os
from pathlib import Path
from typing import Any


class Notes:
    """A JSON object in a file, which is replaced as a whole: a kill leaves the former one or the new one."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._values: dict[str, Any] = json.loads(self._path.read_text()) if self._path.exists() else {}

    def get(self, name: str, default: Any = None) -> Any:
        return self._values.get(name, default)

    def keep(self, **values: Any) -> None:
        self._values |= values
        new = self._path.with_name(self._path.name + ".new")
        with open(new, "w") as file:
            json.dump(self._values, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, self._path)

    def forget(self) -> None:
        """The run is over."""
        self._path.unlink(missing_ok=True)
