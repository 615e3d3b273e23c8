"""What to do around training: record, show, save, stop, adjust; must not know how training works.

Each class is in the file of its name. tqdm and tensorboardX are imported when first used.
"""

from minpy.callbacks.backup_and_restore import BackupAndRestore
from minpy.callbacks.callback import Callback
from minpy.callbacks.callback_list import CallbackList
from minpy.callbacks.csv_logger import CSVLogger
from minpy.callbacks.early_stopping import EarlyStopping
from minpy.callbacks.gradient_monitor import GradientMonitor
from minpy.callbacks.history import History
from minpy.callbacks.lambda_callback import LambdaCallback
from minpy.callbacks.learning_rate_finder import LearningRateFinder
from minpy.callbacks.learning_rate_scheduler import LearningRateScheduler
from minpy.callbacks.model_checkpoint import ModelCheckpoint
from minpy.callbacks.progbar_logger import ProgbarLogger
from minpy.callbacks.progress_bar import ProgressBar
from minpy.callbacks.reduce_lr_on_plateau import ReduceLROnPlateau
from minpy.callbacks.remote_monitor import RemoteMonitor
from minpy.callbacks.swap_ema_weights import SwapEMAWeights
from minpy.callbacks.tensorboard import TensorBoard
from minpy.callbacks.terminate_on_nan import TerminateOnNaN

__all__ = [
    "BackupAndRestore",
    "CSVLogger",
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "GradientMonitor",
    "History",
    "LambdaCallback",
    "LearningRateFinder",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "ProgbarLogger",
    "ProgressBar",
    "ReduceLROnPlateau",
    "RemoteMonitor",
    "SwapEMAWeights",
    "TensorBoard",
    "TerminateOnNaN",
]
