"""What a person sees of a run: in a terminal (a pseudo-terminal), through a pipe, in a notebook."""

import fcntl
import os
import pathlib
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
import types

import pytest
from training_stand_in import CountedLogs, TwoLayers

from minpy.callbacks import CallbackList, LambdaCallback, ProgressBar
from minpy.callbacks import console as console_module
from minpy.callbacks import progress_bar as progress_bar_module

TESTS = str(pathlib.Path(__file__).parent)
LINE = re.compile(
    r"Epoch (\d)/3 - \d+\.\ds - \d+(\.\d)?(s|ms|us)/step"
    r" - loss: \d+\.\d{4}(e-\d\d)? - val_loss: \d+\.\d{4}(e-\d\d)?"
)


def _in_a_terminal(program, columns=120, interrupt_after=None):
    """Run a program on a pseudo-terminal of that width; return all that it wrote there."""
    parent, child = pty.openpty()
    if columns:
        fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {**os.environ, "PYTHONPATH": TESTS}
    environment.pop("COLUMNS", None)
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=child,
        stdout=child,
        stderr=child,
        env=environment,
        cwd=pathlib.Path(TESTS).parent,
    )
    os.close(child)
    written, deadline = b"", time.monotonic() + 60
    while time.monotonic() < deadline:
        if interrupt_after is not None and interrupt_after in written:
            process.send_signal(signal.SIGINT)
            interrupt_after = None
        ready, _, _ = select.select([parent], [], [], 0.1)
        if not ready:
            continue
        try:
            data = os.read(parent, 65536)
        except OSError:  # Linux: the other end is closed
            break
        if not data:
            break
        written += data
    os.close(parent)
    process.kill()  # does nothing to one that has ended
    process.wait()
    return written.decode(errors="replace")


def _fit(**options):
    return f"from training_stand_in import TwoLayers; TwoLayers().fit({options!r})".replace(
        "fit({", "fit(**{"
    )


def _screen(written):
    """What is left on the screen: carriage returns overwrite the line."""
    lines = []
    for line in written.replace("\r\n", "\n").split("\n"):
        shown = ""
        for part in re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", line).split("\r"):
            shown = part + shown[len(part) :]
        lines.append(shown.rstrip())
    return [line for line in lines if line]


def test_in_a_terminal_each_epoch_leaves_a_full_bar():
    written = _in_a_terminal(_fit(epochs=3, steps=20, verbose="auto"))
    screen = _screen(written)
    assert len(screen) == 3, written
    for number, line in enumerate(screen, start=1):
        assert re.fullmatch(
            rf"Epoch {number}/3 20/20 █+ [\d.]+s [\d.]+(ms|us)/step"
            r" - loss: [\d.e-]+ - val_loss: [\d.e-]+",
            line,
        ), written


def test_a_narrow_terminal_cuts_the_line_and_does_not_wrap_it():
    written = _in_a_terminal(_fit(epochs=2, steps=5, verbose=1), columns=50)
    assert len(_screen(written)) == 2
    assert max(len(line) for line in _screen(written)) <= 50


def test_a_terminal_that_does_not_know_its_width_gets_a_bar_too():
    written = _in_a_terminal(_fit(epochs=2, steps=5, verbose="auto"), columns=0)
    assert [line[:14] for line in _screen(written)] == ["Epoch 1/2 5/5 ", "Epoch 2/2 5/5 "]


def test_messages_in_a_terminal_are_above_the_bar():
    program = (
        "from training_stand_in import TwoLayers\n"
        "from minpy.callbacks import LearningRateScheduler, TerminateOnNaN\n"
        "model = TwoLayers(); model.weights[0].value[...] = float('nan')\n"
        "model.fit(TerminateOnNaN(), epochs=2, steps=9, verbose=1)"
    )
    screen = _screen(_in_a_terminal(program))
    assert screen[0] == "Batch 0: the loss is nan, training is stopped"
    assert screen[1].startswith("Epoch 1/2 1/9 ")
    assert "loss: nan" in screen[1]
    assert len(screen) == 2


def test_after_ctrl_c_the_shell_has_a_line_of_its_own():
    program = (
        "import signal, time\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a shell may switch it off
        "from training_stand_in import TwoLayers\n"
        "from minpy.callbacks import LambdaCallback\n"
        "slow = LambdaCallback(on_train_batch_begin=lambda batch, logs: time.sleep(0.05))\n"
        "try:\n"
        "    TwoLayers().fit(slow, epochs=1, steps=10**6, verbose=1)\n"
        "except KeyboardInterrupt:\n"
        "    print('stopped')"
    )
    screen = _screen(_in_a_terminal(program, interrupt_after=b"loss: "))
    assert screen[-1] == "stopped"
    assert screen[-2].startswith("Epoch 1/1 ")


def _in_a_pipe(program):
    return subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": TESTS},
        cwd=pathlib.Path(TESTS).parent,
    )


@pytest.mark.parametrize("verbose", ["auto", 2])
def test_in_a_pipe_each_epoch_is_one_line(verbose):
    done = _in_a_pipe(_fit(epochs=3, verbose=verbose))
    lines = done.stdout.splitlines()
    assert [LINE.fullmatch(line)[1] for line in lines] == ["1", "2", "3"], done.stdout
    assert done.stderr == ""


def test_a_bar_in_a_pipe_is_drawn_when_asked_for():
    done = _in_a_pipe(_fit(epochs=1, verbose=1))
    assert "5/5" in done.stdout and "loss: " in done.stdout


def test_silence_is_silent_and_imports_nothing():
    done = _in_a_pipe(_fit(epochs=3, verbose=0) + "\nimport sys; assert 'tqdm' not in sys.modules")
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


@pytest.mark.parametrize("verbose", [0, 1, 2, "auto"])
def test_evaluate_and_predict_show_one_bar_or_line(verbose, capsys):
    TwoLayers().evaluate(verbose=verbose)
    out = capsys.readouterr().out
    with CallbackList(add_progbar=True, steps=4, verbose=verbose) as run:
        run.on_predict_begin()
        for batch in range(4):
            run.on_predict_batch_end(batch, {"outputs": [1, 2]})
        run.on_predict_end()
    predicted = capsys.readouterr().out
    if verbose == 0:
        assert out == predicted == ""
    elif verbose == 1:
        assert re.search(r"Evaluate 2/2 .* - loss: [\d.]+", out.split("\r")[-1])
        assert re.search(r"Predict 4/4 ", predicted.split("\r")[-1])
    else:
        assert re.fullmatch(r"Evaluate - [\d.]+s - [\d.]+\ws/step - loss: [\d.]+\n", out)
        assert re.fullmatch(r"Predict - [\d.]+s - [\d.]+\ws/step\n", predicted)


class _Clock:
    """Stands in for the time module: a step takes as long as the test says."""

    def __init__(self):
        self.now = 100.0

    def perf_counter(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = _Clock()
    monkeypatch.setattr(progress_bar_module, "time", clock)
    return clock


def test_the_bar_is_drawn_and_metrics_are_read_at_most_ten_times_a_second(clock, capsys):
    def pass_time(batch, logs):
        clock.now += 0.001

    CountedLogs.reads = 0
    TwoLayers().fit(LambdaCallback(on_train_batch_begin=pass_time), steps=2000, verbose=1)
    assert 15 <= CountedLogs.reads <= 20  # two seconds of one epoch
    frames = capsys.readouterr().out.split("\r")
    assert len(frames) <= CountedLogs.reads + 6  # and the first, the validation's and the last


def test_a_long_validation_shows_that_it_runs(clock, capsys):
    def pass_time(batch, logs):
        clock.now += 1

    watch = LambdaCallback(on_train_batch_begin=pass_time, on_test_batch_begin=pass_time)
    TwoLayers().fit(watch, steps=3, verbose=1)
    *_, validating, last, _ = capsys.readouterr().out.split("\r")
    assert re.fullmatch(r"Epoch 1/1 3/3 █+ 5.0s 1.0s/step - loss: \S+ - validating *", validating)
    assert "validating" not in last and "val_loss" in last


def test_epochs_of_a_few_milliseconds_do_not_flicker(clock, capsys):
    def pass_time(batch, logs):
        clock.now += 0.001

    CountedLogs.reads = 0
    TwoLayers().fit(LambdaCallback(on_train_batch_begin=pass_time), epochs=50, steps=10, verbose=1)
    assert CountedLogs.reads <= 6  # half a second


@pytest.mark.parametrize(
    ("step", "text"),
    [
        (0.000123, "123us/step"),
        (0.0031, "3.1ms/step"),
        (0.045, "45ms/step"),
        (2.5, "2.5s/step"),
    ],
)
def test_the_time_a_step_leaves_validation_out(clock, capsys, step, text):
    def pass_time(batch, logs):
        clock.now += step

    def validate(logs):
        clock.now += 50

    watch = LambdaCallback(on_train_batch_begin=pass_time, on_test_begin=validate)
    TwoLayers().fit(watch, steps=4, verbose=2)
    line = capsys.readouterr().out
    assert f" - {text} - " in line
    assert f" - {round(50 + 4 * step)}s - " in line or " - 1m00s - " in line


def test_steps_that_are_not_known_are_counted_and_known_in_the_next_epoch(clock, capsys):
    with CallbackList(ProgressBar(verbose=1), epochs=2, steps=None) as run:
        run.on_train_begin()
        for epoch in range(2):
            run.on_epoch_begin(epoch)
            for batch in range(3):
                clock.now += 1
                run.on_train_batch_end(batch, {"loss": 0.5})
            run.on_epoch_end(epoch, {"loss": 0.25})
    first, second = _screen(capsys.readouterr().out)
    assert first.startswith("Epoch 1/2 3 steps 3.0s 1.0s/step - loss: 0.2500")
    assert second.startswith("Epoch 2/2 3/3 ")


def test_small_numbers_keep_their_digits_and_arrays_are_left_out(capsys):
    bar = ProgressBar(verbose=2)
    bar.on_epoch_begin(0)
    logs = {"loss": 0.0, "learning_rate": 1e-4, "big": 12345.678, "matrix": [[1, 2], [3, 4]]}
    bar.on_epoch_end(0, logs)
    assert capsys.readouterr().out.endswith(
        " - loss: 0.0000 - learning_rate: 1.0000e-04 - big: 12345.6780\n"
    )


def test_an_epoch_that_was_stopped_shows_how_far_it_came(capsys):
    model = TwoLayers()

    def stop(batch, logs):
        model.stop_training = batch == 3

    model.fit(LambdaCallback(on_train_batch_end=stop), epochs=2, steps=9, verbose=1)
    (line,) = _screen(capsys.readouterr().out)
    assert line.startswith("Epoch 1/2 4/9 ")


@pytest.mark.parametrize("verbose", [3, -1, "loud", 0.5])
def test_a_verbosity_that_does_not_exist_is_refused(verbose):
    with pytest.raises(ValueError, match="'auto', 0"):
        ProgressBar(verbose=verbose)
    with pytest.raises(ValueError, match="'auto', 0"):
        TwoLayers().fit(verbose=verbose)


def test_a_bar_of_ones_own_replaces_the_default_and_its_setting(capsys):
    TwoLayers().fit(ProgressBar(verbose=2), epochs=2, verbose=0)
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_a_notebook_counts_as_somebody_looking(monkeypatch):
    class ZMQInteractiveShell:
        pass

    assert not console_module.in_notebook()
    ipython = types.SimpleNamespace(get_ipython=ZMQInteractiveShell)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    assert console_module.in_notebook()
    assert ProgressBar(verbose="auto").reads_batch_logs  # it draws


def test_a_closed_or_missing_output_is_no_terminal():
    assert not console_module.is_terminal(None)
    with open(os.devnull) as closed:
        pass
    assert not console_module.is_terminal(closed)
