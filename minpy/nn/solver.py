"""``minpy.nn.solver`` of minpy 0.3.4: trains a `ModelBase` on data iterators by update rules.

New programs call `ModelBase.fit`, which compiles the model. Here each step runs eagerly, over the
model's methods that a subclass may have: `forward_batch` and `loss_batch`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy

from minpy import core
from minpy.array import as_ndarray, ndarray
from minpy.nn import init, optim
from minpy.nn.io import DataBatch

__all__ = ["Solver"]

_OPTIONS: dict[str, Any] = {
    "task_type": "classification",
    "init_rule": "xavier",
    "init_config": {},
    "update_rule": "sgd",
    "optim_config": {},
    "lr_decay": 1.0,
    "num_epochs": 10,
    "train_acc_num_samples": 1000,
    "print_every": 10,
    "verbose": True,
    "visualize": False,
    "summaries_dir": "model_log",
}


class Solver:
    """Trains a model.

    Parameters
    ----------
    model
        A `minpy.nn.model.ModelBase`.
    train_dataiter, test_dataiter
        Iterators over batches, `minpy.nn.io.NDArrayIter` or MXNet's own; either may be None in a
        subclass that has its own data.
    task_type
        ``'classification'``: accuracy is reported, more is better. ``'regression'``: the loss is.
    init_rule, init_config
        How parameters start that don't say it themselves; see `minpy.nn.init`.
    update_rule, optim_config
        A rule of `minpy.nn.optim` by name, and its settings, such as ``learning_rate``.
    lr_decay
        What the learning rate is multiplied by after each epoch.
    num_epochs
        How often to go over the data.
    train_acc_num_samples
        How many training samples to check after each epoch.
    print_every
        After how many steps to print the loss.
    verbose
        Whether to print.
    visualize, summaries_dir
        Whether to write losses, accuracies and gradient norms for TensorBoard, and where.

    Raises
    ------
    ValueError
        If an option or a rule doesn't exist.

    Notes
    -----
    After `train` the model has the parameters of the best epoch. ``loss_history``,
    ``train_acc_history`` and ``val_acc_history`` hold what was measured.

    Examples
    --------
    >>> import numpy, minpy
    >>> from minpy.nn.model import ModelBase
    >>> from minpy.nn.io import NDArrayIter
    >>> from minpy.nn import layers
    >>> class Line(ModelBase):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.add_param('w', (1, 1))
    ...     def forward(self, X, mode):
    ...         return layers.affine(X, self.params['w'])
    ...     def loss(self, predict, y):
    ...         return layers.l2_loss(predict, y)
    >>> x = numpy.linspace(-1, 1, 64, dtype='float32').reshape(-1, 1)
    >>> data = NDArrayIter(x, 3 * x, batch_size=32)
    >>> solver = Solver(Line(), data, data, task_type='regression', num_epochs=40,
    ...                 optim_config={'learning_rate': 0.5}, verbose=False)
    >>> solver.init()
    >>> solver.train()
    >>> round(float(solver.model.params['w'][0, 0]), 3)
    3.0
    """

    def __init__(self, model: Any, train_dataiter: Any, test_dataiter: Any, **kwargs: Any) -> None:
        unknown = set(kwargs) - set(_OPTIONS)
        if unknown:
            raise ValueError(
                f"Solver: unknown options {', '.join(sorted(unknown))}; "
                f"there are {', '.join(_OPTIONS)}"
            )
        self.model, self.train_dataiter, self.test_dataiter = model, train_dataiter, test_dataiter
        for name, default in _OPTIONS.items():
            setattr(self, name, kwargs.get(name, default))
        if self.task_type not in ("classification", "regression"):
            raise ValueError(
                "Solver: expected task_type 'classification' or 'regression', got "
                f"{self.task_type!r}"
            )
        self.update_rule = _update_rule(self.update_rule)
        self._writers: dict[str, Any] = {}
        self._reset()

    def _reset(self) -> None:
        self.epoch = 0
        self.best_val_acc: float | None = None
        self.best_params: dict[str, Any] = {}
        self.loss_history: list[Any] = []
        self.train_acc_history: list[float] = []
        self.val_acc_history: list[float] = []
        self._reset_data_iterators()
        configs = self.model.param_configs
        self.optim_configs = {name: dict(self.optim_config) for name in configs}
        self.init_rules, self.init_configs = {}, {}
        for name, config in configs.items():
            own = config.get("init_rule") is not None
            self.init_rules[name] = init.find_rule(config["init_rule"] if own else self.init_rule)
            chosen = config.get("init_config") if own else self.init_config
            self.init_configs[name] = dict(chosen or {})

    def _reset_data_iterators(self) -> None:
        for iterator in (self.train_dataiter, self.test_dataiter):
            if iterator is not None:
                iterator.reset()

    # --- training -------------------------------------------------------------------------------

    def init(self) -> None:
        """Give every parameter the value that its rule draws from `minpy.numpy.random`."""
        for name, config in self.model.param_configs.items():
            self.model.params[name] = self.init_rules[name](
                config["shape"], self.init_configs[name]
            )
        for name, value in self.model.aux_param_configs.items():
            self.model.aux_params[name] = value

    def _step(self, batch: Any) -> None:
        """Do one update of the parameters."""
        batch = _as_minpy(batch)
        names, values = list(self.model.params), list(self.model.params.values())

        def loss_func(*_: Any) -> Any:
            # The parameters are marked, so the model may read them where it keeps them.
            return self.model.loss_batch(batch, self.model.forward_batch(batch, mode="train"))

        gradients, loss = core.grad_and_loss(loss_func, argnum=range(len(values)))(*values)
        if len(names) == 1:
            gradients = (gradients,)
        self.loss_history.append(loss.asnumpy())
        if self.visualize:
            norm = sum(float((g.asnumpy().astype("float64") ** 2).sum()) for g in gradients)
            self._write("train", "squared L2-norm of the gradient", norm, len(self.loss_history))
            self._write("train", "loss", float(loss), len(self.loss_history))
        for name, g in zip(names, gradients, strict=True):
            w = self.model.params[name]
            self.model.params[name], self.optim_configs[name] = self.update_rule(
                w, g, self.optim_configs[name]
            )

    def train(self) -> None:
        """Train for all epochs, check after each, and leave the best parameters in the model."""
        if self.train_dataiter is None:
            raise ValueError("Solver: there is no training data; pass a train_dataiter")
        try:
            self._train()
        finally:
            self._close_writers()

    def _train(self) -> None:
        steps = _number_of_batches(self.train_dataiter)
        total = "?" if steps is None else steps * self.num_epochs
        done = 0
        target = {"classification": "acc", "regression": "loss"}[self.task_type]
        for epoch in range(self.num_epochs):
            start = time.time()
            self.epoch = epoch + 1
            for batch in self.train_dataiter:
                self._step(batch)
                if self.verbose and done % self.print_every == 0:
                    loss = float(self.loss_history[-1])
                    print(f"(Iteration {done + 1} / {total}) loss: {loss:f}")
                done += 1
            train_acc = self.check_accuracy(self.train_dataiter, self.train_acc_num_samples)
            self.train_acc_history.append(train_acc)
            self._write("train", "accuracy", train_acc, self.epoch)
            val_acc = train_acc
            if self.test_dataiter is not None:
                val_acc = self.check_accuracy(self.test_dataiter)
                self.val_acc_history.append(val_acc)
                self._write("test", "accuracy", val_acc, self.epoch)
            self._reset_data_iterators()
            if self.verbose:
                print(
                    f"(Epoch {self.epoch} / {self.num_epochs}) train {target}: {train_acc}, "
                    f"val {target}: {val_acc}, time: {time.time() - start}."
                )
            if self._is_best(val_acc):
                self.best_val_acc = val_acc
                self.best_params = {k: v.asnumpy() for k, v in self.model.params.items()}
            for config in self.optim_configs.values():
                if "learning_rate" in config:
                    config["learning_rate"] *= self.lr_decay
        if self.best_params:
            self.model.params = self.best_params

    def _is_best(self, measured: float) -> bool:
        if self.best_val_acc is None:
            return not numpy.isnan(measured)
        if self.task_type == "classification":
            return measured > self.best_val_acc
        return measured < self.best_val_acc

    def _write(self, writer: str, tag: str, value: float, step: int) -> None:
        if not self.visualize:
            return
        if writer not in self._writers:
            from minpy.visualization.writer import SummaryWriter

            self._writers[writer] = SummaryWriter(f"{self.summaries_dir}/{writer}")
        self._writers[writer].add_scalar(tag, value, step)

    def _close_writers(self) -> None:
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()

    # --- checking -------------------------------------------------------------------------------

    def check_accuracy(self, dataiter: Any, num_samples: int | None = None) -> float:
        """Return the fraction of samples that are classified right, or the mean loss.

        Parameters
        ----------
        dataiter
            Where the samples come from.
        num_samples
            Look at no more than about that many of them: drawn at random where the iterator can,
            the first ones otherwise.

        Notes
        -----
        Samples that only fill the last batch up don't count, as they did in minpy 0.3.4.
        """
        samples = getattr(dataiter, "num_data", None)
        limit = num_samples
        more = num_samples is not None and samples is not None and samples > num_samples
        if more and hasattr(dataiter, "getsubiter"):
            dataiter, limit = dataiter.getsubiter(num_samples), None
        dataiter.reset()
        total, count = 0.0, 0
        for raw in dataiter:
            batch = _as_minpy(raw)
            predicted = self.model.forward_batch(batch, mode="test")
            length = len(batch.data[0])
            if self.task_type == "classification":
                length -= batch.pad or 0
                classes = as_ndarray(predicted).asnumpy()[:length].argmax(axis=1)
                labels = batch.label[0].asnumpy()[:length]
                labels = labels.argmax(axis=1) if labels.ndim == 2 else labels.reshape(-1)
                total += float((classes == labels).sum())
            else:
                total += float(self.model.loss_batch(batch, predicted)) * length
            count += length
            if limit is not None and count >= limit:
                break
        dataiter.reset()
        return total / count if count else float("nan")


def _update_rule(name: Any) -> Callable[..., Any]:
    if callable(name):
        return name
    if not isinstance(name, str) or name not in optim.__all__:
        raise ValueError(
            f"Solver: expected an update_rule among {', '.join(optim.__all__)}, got {name!r}"
        )
    return getattr(optim, name)


def _number_of_batches(iterator: Any) -> int | None:
    if hasattr(iterator, "getnumiterations"):
        return int(iterator.getnumiterations())
    samples = getattr(iterator, "num_data", None)
    return None if samples is None else -(-samples // iterator.batch_size)


def _as_minpy(batch: Any) -> Any:
    """Return a batch of MXNet's with minpy's arrays; one that has them already is itself."""
    arrays = [*(batch.data or []), *(batch.label or [])]
    if all(type(a) is ndarray for a in arrays):
        return batch
    return DataBatch(
        [as_ndarray(a) for a in batch.data],
        [as_ndarray(a) for a in batch.label or []],
        batch.pad,
        batch.index,
    )
