"""The benchmark's own logic: workloads and weights, turns, statistics, tables, the command line."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from functools import partial
from types import SimpleNamespace

import numpy
import pytest

import minpy
from benchmarks import machine, nodes, summary, tables
from benchmarks.__main__ import arguments, cases, entry, measure_families, unmeasured, write
from benchmarks.families import FAMILIES
from benchmarks.nodes import channels_first_rows, initial_weights, of_node
from benchmarks.peers import PEERS
from benchmarks.turns import Calm, Command, Turns, Worker, WorkerError, take_turns
from benchmarks.workloads import WORKLOADS

FAKE = '''
"""A library that learns nothing, and says so, fails, dies or hangs where it is told to."""
import os, sys, time
import numpy
from benchmarks.peers import NotYet

def versions():
    print("libraries print what they like")
    return {"fake": "1.0"}

class build:
    def __init__(self, workload, batch, x, y, weights, trouble=None):
        self.x, self.out, self.trouble = x, workload.output, trouble
        if trouble == "not yet":
            raise NotYet("layers.Missing")
        if trouble == "shape":
            self.out = (2,)
    def first_step(self):
        self.turns = 0
    def train(self, epochs, shuffle):
        self.turns += shuffle
        if self.trouble == "raise" and shuffle:
            raise ValueError("out of luck")
        if self.trouble == "die" and shuffle:
            print("the last words", file=sys.stderr)
            sys.stderr.flush()
            os._exit(3)
        if self.trouble == "hang" and shuffle:
            time.sleep(60)
        return [float("nan") if self.trouble == "nan" and shuffle else 1.5] * epochs
    def predict(self):
        return numpy.ones((len(self.x), *self.out), "float32")
'''


@pytest.fixture(scope="module")
def fake_peer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fake")
    (folder / "fake_peer.py").write_text(FAKE)
    workload = WORKLOADS["tiny"]
    x, y = workload.data(32)
    weights = initial_weights(workload.nodes, workload.shape, 0)
    named = {f"w:{name}": a for name, a in weights.items()}
    numpy.savez(folder / "data.npz", x=x, y=y, **named)
    return folder


def start(folder, timeout=60.0):
    return Worker(sys.executable, "fake_peer", {"PYTHONPATH": f"{folder}:."}, timeout)


def setup(folder, trouble=None):
    arguments = {"workload": "tiny", "batch": 32, "data": str(folder / "data.npz")}
    arguments["options"] = {"trouble": trouble}
    return [Command("setup", arguments), Command("begin", {"epochs": 2})]


TURN = [Command("train", {"seconds": 0.0}), Command("predict", {"seconds": 0.0})]


def test_each_library_gets_a_turn_a_round_and_one_that_fails_drops_out_alone(fake_peer):
    troubles = {"good": None, "lacking": "not yet", "bad": "raise", "dead": "die", "nan": "nan"}
    said = []
    results = take_turns(
        {name: partial(start, fake_peer) for name in troubles},
        {name: setup(fake_peer, trouble) for name, trouble in troubles.items()},
        TURN,
        3,
        [Command("memory")],
        say=said.append,
    )
    assert {name: turns.status for name, turns in results.items()} == {
        "good": "measured",
        "lacking": "not yet",
        "bad": "failed",
        "dead": "failed",
        "nan": "failed",
    }
    good = entry(results["good"])
    assert len(good["train_ms"]) == len(good["predict_ms"]) == 3
    assert min(good["train_ms"]) > 0
    assert good["curve"] == [1.5, 1.5]
    assert 5 < good["peak_mib"] < 2000
    assert results["good"].greeting["versions"] == {"fake": "1.0"}
    assert results["lacking"].reason == "layers.Missing"
    assert "out of luck" in results["bad"].reason
    assert "status 3: the last words" in results["dead"].reason
    assert "the loss became nan" in results["nan"].reason
    assert said.count("round 3 of 3") == 1


def test_a_prediction_of_the_wrong_shape_is_no_measurement(fake_peer):
    worker = start(fake_peer)
    command, _ = setup(fake_peer, "shape")
    worker.ask("setup", **command.arguments)
    with pytest.raises(WorkerError, match=r"predict: expected \(32000, 1\), got \(32000, 2\)"):
        worker.ask("begin", epochs=1)
    worker.stop()


def test_a_worker_that_hangs_is_killed_after_its_timeout(fake_peer):
    worker = start(fake_peer)
    for command in setup(fake_peer, "hang"):
        worker.ask(command.name, **command.arguments)
    worker.timeout = 0.3
    with pytest.raises(WorkerError, match="no answer in 0 s"):
        worker.ask("train", seconds=0.0)
    worker.stop()
    assert worker.process.poll() is not None


def test_a_library_that_is_not_installed_is_unavailable_not_a_crash():
    results = take_turns(
        {
            "missing": lambda: Worker(sys.executable, "no_such_library"),
            "no interpreter": lambda: Worker("/no/such/python", "fake_peer"),
        },
        {"missing": [], "no interpreter": []},
        TURN,
        1,
    )
    assert {turns.status for turns in results.values()} == {"unavailable"}
    assert "no_such_library" in results["missing"].reason


def test_the_order_of_turns_rotates():
    log = []

    class Recorder:
        greeting = {}  # noqa: RUF012
        process = SimpleNamespace(pid=os.getpid())

        def __init__(self, name):
            self.name = name

        def ask(self, command, **arguments):
            log.append(self.name)
            return {}

        def stop(self):
            pass

    starters = {name: partial(Recorder, name) for name in "abc"}
    take_turns(starters, dict.fromkeys("abc", ()), [Command("train")], 3)
    assert "".join(log) == "abcbcacab"


def test_a_turn_that_others_disturbed_is_repeated_and_the_calmest_one_counts(monkeypatch):
    disturbances = iter([0.9, 0.4, 0.0, 0.1])
    monkeypatch.setattr("benchmarks.turns.wait_for_calm", lambda limit, patience: 0.0)
    monkeypatch.setattr(
        "benchmarks.turns.Disturbance",
        lambda pid: SimpleNamespace(cores=lambda: next(disturbances)),
    )
    numbers = iter(range(100))
    worker = SimpleNamespace(
        greeting={},
        process=SimpleNamespace(pid=0),
        ask=lambda command: {"number": next(numbers)},
        stop=lambda: None,
    )
    turn = [Command("train", repeatable=True)]
    found = take_turns({"a": lambda: worker}, {"a": ()}, turn, 2, calm=Calm(0.15, 10.0))["a"]
    assert found.values("train", "number") == [2, 3]
    assert found.values("train", "disturbance") == [0.0, 0.1]


def test_without_patience_every_turn_counts():
    worker = SimpleNamespace(
        greeting={},
        process=SimpleNamespace(pid=os.getpid()),
        ask=lambda command: {},
        stop=lambda: None,
    )
    turn = [Command("train", repeatable=True)]
    found = take_turns({"a": lambda: worker}, {"a": ()}, turn, 2, calm=Calm(-1.0, 0.0))["a"]
    assert len(found.values("train", "disturbance")) == 2


def test_processor_time_is_the_processes_own():
    code = "while True: pass"
    with subprocess.Popen([sys.executable, "-c", code]) as busy:
        watch = machine.Disturbance(os.getpid())
        own = machine.process_seconds(busy.pid)
        deadline = time.monotonic() + 20
        while machine.process_seconds(busy.pid) < own + 0.1 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert machine.process_seconds(busy.pid) >= own + 0.1
        assert watch.cores() > 0
        busy.kill()


# --- workloads and weights ------------------------------------------------------------------------


@pytest.mark.parametrize("name", WORKLOADS)
def test_data_has_whole_batches_and_is_the_same_each_time(name):
    workload = WORKLOADS[name]
    for batch in workload.batches:
        x, y = workload.data(batch)
        assert len(x) == len(y) == workload.count(batch)
        assert len(x) % batch == 0
        assert x.shape[1:] == workload.shape
        if workload.loss == "crossentropy":
            assert y.min() >= 0
            assert y.max() == workload.output[-1] - 1
        else:
            assert y.shape[1:] == workload.output
    again, _ = workload.data(batch)
    numpy.testing.assert_array_equal(x, again)


def test_numbers_of_parameters_are_those_of_the_literature():
    def count(name):
        workload = WORKLOADS[name]
        found = initial_weights(workload.nodes, workload.shape, 0)
        return sum(a.size for n, a in found.items() if not n.endswith(("/mean", "/variance")))

    assert count("mlp") == 784 * 512 + 512 + 512 * 512 + 512 + 512 * 10 + 10
    assert count("lstm") == 4 * 128 * (28 + 128 + 1) + 1290
    # He et al. 2016, table 6: 0.27 M for 20 layers
    assert count("resnet") == pytest.approx(0.27e6, rel=0.03)


def test_a_nodes_weights_come_in_order_and_belong_to_it_alone():
    found = initial_weights(WORKLOADS["lstm"].nodes, (28, 28), 0)
    assert [a.shape for a in of_node(found, "0")] == [(28, 512), (128, 512), (512,)]
    assert [a.shape for a in of_node(found, "1")] == [(128, 10), (10,)]


def test_rows_for_channels_first_images_give_the_same_product():
    rng = numpy.random.default_rng(0)
    image, kernel = rng.random((3, 5, 2)), rng.random((30, 7))
    expected = image.reshape(-1) @ kernel
    other = image.transpose(2, 0, 1).reshape(-1) @ channels_first_rows(kernel, (3, 5, 2))
    numpy.testing.assert_allclose(other, expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("node", "shape", "expected"),
    [
        (nodes.Conv(8, 3), (28, 28, 1), (26, 26, 8)),
        (nodes.Conv(8, 3, 2, "same"), (32, 32, 3), (16, 16, 8)),
        (nodes.Conv(8, 3, 2, "valid"), (28, 28, 3), (13, 13, 8)),
        (nodes.MaxPool(2), (13, 13, 8), (6, 6, 8)),
        (nodes.Embedding(100, 8), (20,), (20, 8)),
    ],
)
def test_shapes(node, shape, expected):
    assert node.output(shape) == expected


# --- statistics and tables ------------------------------------------------------------------------


def test_ratio_is_to_the_best_peer_that_was_measured():
    values = {"minpy": 2.0, "a": 4.0, "b": None, "c": 2.5, "minpy-eager": 1.0}
    assert summary.ratio_to_best(values, "minpy", ["a", "b", "c"]) == (0.8, "c")
    assert summary.ratio_to_best({"minpy": None, "a": 1.0}, "minpy", ["a"]) is None
    assert summary.ratio_to_best({"minpy": 1.0, "b": None}, "minpy", ["b"]) is None


def test_spread_is_relative_to_the_median():
    assert summary.spread([1.0, 2.0, 4.0]) == 0.75
    assert summary.spread([]) is None


def test_a_curve_apart_from_the_others_is_found():
    far = summary.curve_deviations({"a": [1.0, 0.5], "b": [1.0, 0.5], "cheat": [1.0, 0.8]})
    assert far["a"] == 0
    assert far["cheat"] == pytest.approx(0.6)


def results():
    def measured(ms, curve):
        turns = Turns(
            answers={
                "begin": [{"first_step_ms": 3.0, "build_ms": 1.0, "curve": curve, "note": ""}],
                "train": [
                    {"ms": ms, "loss": 0.1, "disturbance": 0.0},
                    {"ms": ms * 3, "loss": 0.1, "disturbance": 0.5},
                ],
                "predict": [{"ms": ms / 2}],
                "memory": [{"mib": 1234.0}],
            }
        )
        return entry(turns)

    entries = {
        "minpy": measured(1.0, [1.0, 0.5]),
        "torch": measured(2.0, [1.0, 0.5]),
        "jax": measured(4.0, [1.0, 0.1]),
        "gluon": entry(Turns("not yet", "no such layer")),
    }
    names = {name: {"is_minpy": name == "minpy", "versions": {"v": "1"}} for name in entries}
    return {
        "date": "2026-01-01",
        "machine": {"cpu": "a CPU", "cores": 2, "memory_gib": 8.0, "system": "os", "load": 0.5},
        "options": {},
        "rounds": 2,
        "peers": names,
        "cases": [{"workload": "mlp", "title": "MLP", "batch": 32, "entries": entries}],
        "imports": {"minpy": [100.0, 300.0, 200.0]},
        "operations": {"numpy": {"add": [0.5]}, "torch": {"dot": [1234.5]}},
    }


def test_the_report_names_the_best_peer_what_is_missing_and_curves_apart(tmp_path):
    text = write(results(), tmp_path)
    row = next(line for line in text.splitlines() if line.startswith("| mlp, 32"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells == ["mlp, 32", "2.00", "**4.00**", "8.00", "not yet", "0.50× torch"]
    assert "1.0000 0.1000 (80% apart)" in text
    assert "- gluon, mlp, 32: not yet: no such layer" in text
    assert "±50%" in text
    assert "used 0.25 cores during a turn (median), at most 0.50" in text
    assert re.search(r"\| import \| +200 \|", text)
    assert json.loads((tmp_path / "results.json").read_text()) == results()
    assert (tmp_path / "chart.png").read_bytes().startswith(b"\x89PNG")


def test_tables_line_up_and_numbers_have_three_digits():
    lines = tables.markdown(["name", "x"], [["a", "1"], ["longer", "1,234"]]).splitlines()
    assert len({len(line) for line in lines}) == 1
    shown = [tables.number(v) for v in (0.01234, 1.234, 12.34, 1234.5, None)]
    assert shown == ["0.012", "1.23", "12.3", "1,234", ""]


def test_the_command_fails_if_minpy_was_not_measured_or_a_peer_failed():
    found = results()
    assert unmeasured(found) == []
    entries = found["cases"][0]["entries"]
    entries["torch"]["status"] = "unavailable"
    assert unmeasured(found) == []
    entries["minpy"]["status"], entries["jax"]["status"] = "unavailable", "failed"
    assert unmeasured(found) == ["minpy", "jax"]


# --- the command line -----------------------------------------------------------------------------


def test_quick_is_short_unless_told_otherwise():
    quick = arguments(["--quick", "--rounds", "4"])
    assert (quick.rounds, quick.batches) == (4, [128])
    assert arguments([]).workloads == list(WORKLOADS)
    assert arguments([]).peers == list(PEERS)


def test_a_workload_made_for_one_batch_size_is_measured_at_that_one():
    found = [(w.name, b) for w, b in cases(["mlp", "deep"], [128, 512])]
    assert found == [("mlp", 128), ("mlp", 512), ("deep", 32)]
    assert [b for _, b in cases(["mlp"], None)] == [32, 128, 512]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--workloads", "mpl"], "no workload 'mpl'; there are mlp"),
        (["--peers", ""], "no peer ''"),
        (["--batches", "a"], "expected batch sizes such as 32,128"),
        (["--batches", "0"], "expected batch sizes"),
        (["--rounds", "0"], "expected a whole number above 0"),
    ],
)
def test_wrong_arguments_are_named(given, message, capsys):
    with pytest.raises(SystemExit):
        arguments(given)
    assert message in capsys.readouterr().err


def measured(**samples):
    """Return a result file with one case."""
    return {
        "machine": {"cpu": "a processor", "cores": 2, "variables": {"OMP_NUM_THREADS": "2"}},
        "date": "2020-01-02",
        "rounds": 3,
        "cases": [
            {
                "workload": "mlp",
                "title": "MLP",
                "batch": 32,
                "entries": {n: {"train_ms": values} for n, values in samples.items()},
            }
        ],
    }


def test_the_short_table_has_the_best_of_each_library():
    from benchmarks.publish import compact, machine_line

    table = compact(
        measured(minpy=[1.0, 2.0, 9.0], torch=[8.0], **{"keras-jax": [4.0], "keras-torch": [6.0]})
    )
    cells = [cell.strip() for cell in table.splitlines()[-1].strip("|").split("|")]
    assert cells == ["MLP, batch 32", "2.00", "4.00", "8.00", "", "", "2.00×"]
    assert "a processor, 2 cores; 2020-01-02" in machine_line(measured())
    assert "OMP_NUM_THREADS=2" in machine_line(measured())


def test_tables_replace_what_is_between_the_marks_only(tmp_path):
    from benchmarks.publish import BEGIN, END, put

    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    put(page, "new")
    put(page, "newer")
    assert page.read_text() == f"before\n{BEGIN}\n\nnewer\n\n{END}\nafter\n"
    page.write_text("no marks")
    with pytest.raises(ValueError, match="expected the lines"):
        put(page, "new")
    assert page.read_text() == "no marks"


def test_runs_of_one_machine_are_put_together():
    from benchmarks.publish import together

    def run(workload, batch, cores=2):
        made = measured(minpy=[1.0])
        made["cases"][0] |= {"workload": workload, "batch": batch}
        made["machine"]["cores"] = cores
        return made | {"peers": {"minpy": {"versions": {}}}, "imports": {}, "operations": {}}

    found = together([run("cnn", 128), run("mlp", 512), run("cnn", 32), run("mlp", 512)])
    assert [(c["workload"], c["batch"]) for c in found["cases"]] == [
        ("mlp", 512),
        ("cnn", 32),
        ("cnn", 128),
    ]
    first, second = run("cnn", 32), run("cnn", 32)
    second["cases"][0]["entries"]["torch"] = {"train_ms": [3.0]}
    second["cases"][0]["entries"]["minpy"] = {"train_ms": [9.0]}
    (case,) = together([first, second])["cases"]
    assert case["entries"]["minpy"] == first["cases"][0]["entries"]["minpy"]
    assert case["entries"]["torch"] == {"train_ms": [3.0]}
    with pytest.raises(ValueError, match="different machines"):
        together([run("cnn", 128), run("mlp", 512, cores=8)])


@pytest.fixture
def channels_last():
    before = minpy.config.image_data_format()
    yield
    minpy.config.set_image_data_format(before)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_network_of_each_family_trains_compiled(family, channels_last):
    minpy.config.set_image_data_format("channels_last")
    case = FAMILIES[family][1](minpy)
    case.model.compile("adam", case.loss)
    x = [part[:4] for part in case.x] if isinstance(case.x, list) else case.x[:4]
    loss = case.model.train_on_batch(x, case.y[:4])
    assert numpy.isfinite(float(loss))
    assert case.model.jit_status == "compiled"


def test_families_are_measured_in_turn_and_told_by_minpys_part_of_the_best_other():
    chosen = arguments(
        ["--sections", "families", "--families", "tabular", "--peers", "minpy,minpy-eager,torch",
         "--rounds", "1", "--seconds", "0.01", "--patience", "0"]
    )  # fmt: skip
    found = measure_families(chosen)
    assert list(found["tabular"]) == ["minpy"]
    assert found["tabular"]["minpy"][0] > 0
    found["tabular"] |= {"minpy": [1.0], "keras-jax": [2.0, 4.0], "keras-torch": []}
    row = tables.families_table({"families": found}).splitlines()[-1]
    assert "| 1.00 | 3.00 |" in re.sub(" +", " ", row)
    assert "0.33× keras-jax" in row


def test_the_readme_says_how_much_longer_the_best_other_takes_over_the_families():
    from benchmarks.publish import families_line

    found = {
        "a": {"minpy": [1.0, 3.0], "keras-jax": [4.0], "keras-torch": [9.0]},
        "b": {"minpy": [1.0], "keras-jax": [3.0], "keras-torch": []},
        "c": {"minpy": [], "keras-jax": [3.0]},
    }
    line = families_line({"families": found})
    assert line.startswith("Of 2 more networks")
    assert "takes 2.00 to 3.00 times as long a step (median 2.50)" in line
    assert families_line({}) == ""
