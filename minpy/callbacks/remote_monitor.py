"""Sends each epoch's logs to a server; must not stop training when the server doesn't answer."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from minpy.callbacks.callback import Callback

_SECONDS = 10


class RemoteMonitor(Callback):
    """Post the epoch's number and logs, as JSON, to a server after each epoch.

    Parameters
    ----------
    root : str
        The server's address, ``http://…`` or ``https://…``.
    path : str
        Where on it the events go.
    field : str
        Name of the form's field that holds the JSON.
    headers : dict, optional
        More headers of the request, such as an authorization.
    send_as_json : bool
        Send the JSON itself instead of a form.

    Raises
    ------
    ValueError
        If `root` is no address of a web server.

    Notes
    -----
    A server that can't be reached, refuses, or takes longer than 10 seconds is a warning, and
    training goes on.

    Examples
    --------
    >>> monitor = RemoteMonitor('http://localhost:9000', send_as_json=True)
    >>> monitor.request(0, {'loss': 0.5}).data
    b'{"epoch": 0, "loss": 0.5}'
    """

    reads_batch_logs = False

    def __init__(
        self,
        root: str = "http://localhost:9000",
        path: str = "/publish/epoch/end/",
        field: str = "data",
        headers: Mapping[str, str] | None = None,
        send_as_json: bool = False,
    ) -> None:
        super().__init__()
        if urllib.parse.urlsplit(root).scheme not in ("http", "https"):
            raise ValueError(
                f"RemoteMonitor: expected root such as 'http://localhost:9000', got {root!r}"
            )
        self.root = root
        self.path = path
        self.field = field
        self.headers = dict(headers or {})
        self.send_as_json = send_as_json

    def request(self, epoch: int, logs: Mapping[str, Any]) -> urllib.request.Request:
        """Return the request that an epoch makes."""
        event = json.dumps({"epoch": epoch, **{name: _plain(v) for name, v in logs.items()}})
        if self.send_as_json:
            kind, body = "application/json", event
        else:
            kind = "application/x-www-form-urlencoded"
            body = urllib.parse.urlencode({self.field: event})
        return urllib.request.Request(
            self.root + self.path,
            data=body.encode(),
            headers={"Content-Type": kind, **self.headers},
            method="POST",
        )

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Send the logs, and warn if that fails."""
        request = self.request(epoch, logs or {})
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS) as answer:
                answer.read()
        except OSError as error:  # URLError and HTTPError are, and what a socket raises
            warnings.warn(f"RemoteMonitor: {self.root} can't be told: {error}", stacklevel=2)


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value
