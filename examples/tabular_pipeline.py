"""A table of measurements behind a scikit-learn pipeline.

    python examples/tabular_pipeline.py [--small]

scikit-learn's breast cancer table: thirty numbers of very different size a patient. A pipeline
scales and rotates them, fitted on the training rows alone; a small network tells benign from
malign, with the rarer kind weighing more. Needs scikit-learn (``pip install '.[examples]'``).
"""

import sys

import numpy
from sklearn.datasets import load_breast_cancer
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import minpy
from minpy.callbacks import EarlyStopping
from minpy.layers import Dense, Dropout, Input
from minpy.models import Sequential


def network(features):
    model = Sequential(
        [
            Input((features,)),
            Dense(32, activation="relu", kernel_regularizer="l2"),
            Dropout(0.3),
            Dense(1, activation="sigmoid"),
        ],
        name="tumours",
    )
    model.compile(
        minpy.optimizers.Adam(0.01), loss="binary_crossentropy", metrics=["accuracy", "auc"]
    )
    return model


def main(small=False):
    minpy.random.seed(0)
    table = load_breast_cancer()
    x_train, x_test, y_train, y_test = train_test_split(
        table.data, table.target, test_size=0.3, random_state=0, stratify=table.target
    )
    prepared = make_pipeline(StandardScaler(), PCA(n_components=10))
    x_train = prepared.fit_transform(x_train)
    x_test = prepared.transform(x_test)
    model = network(10)
    counts = numpy.bincount(y_train)
    history = model.fit(
        x_train,
        y_train,
        epochs=15 if small else 200,
        validation_split=0.2,
        class_weight={label: len(y_train) / (2 * n) for label, n in enumerate(counts)},
        callbacks=[EarlyStopping("val_loss", patience=10, restore_best_weights=True)],
        verbose=0,
    )
    result = model.evaluate(x_test, y_test, verbose=0, return_dict=True)
    theirs = roc_auc_score(y_test, model.predict(x_test, verbose=0)[:, 0])
    print(f"{len(history.epoch)} epochs")
    print(f"{result['accuracy']:.1%} of {len(x_test)} held-out patients are right")
    print(f"area under the curve {result['auc']:.4f}; scikit-learn says {theirs:.4f}")
    print(f"training ran: {model.jit_status}")
    return result, theirs


if __name__ == "__main__":
    main("--small" in sys.argv)
