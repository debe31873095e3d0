"""What a training loop is made of: gradients over processes, optimizers, stages, stopping, metrics, saved states."""

from pixelseq.runtime.processes import join_processes
from pixelseq.training.gradients import ImageNats, backward, evaluate_shared, total, whole
from pixelseq.training.metrics import Metrics, draw_curve, progress_bar, read_metrics, track_pictures
from pixelseq.training.optimisers import build_optimizer, schedule_factor, seed_step, set_learning_rate
from pixelseq.training.pictures import draw_pictures
from pixelseq.training.run_state import Progress, RunState
from pixelseq.training.saved_state import (
    STATES,
    SavedState,
    collect_tensors,
    has_states,
    newest_state,
    restore_tensors,
    save_state,
)
from pixelseq.training.settings import check_agreement, fill, flatten, read_settings, write_settings
from pixelseq.training.stages import freeze_encoder, stage_images, stage_model, stage_note, start_from
from pixelseq.training.stopping import ADVICE, FiniteGuard, any_process

__all__ = [
    "ADVICE",
    "STATES",
    "FiniteGuard",
    "ImageNats",
    "Metrics",
    "Progress",
    "RunState",
    "SavedState",
    "any_process",
    "backward",
    "build_optimizer",
    "check_agreement",
    "collect_tensors",
    "draw_curve",
    "draw_pictures",
    "evaluate_shared",
    "fill",
    "flatten",
    "freeze_encoder",
    "has_states",
    "join_processes",
    "newest_state",
    "progress_bar",
    "read_metrics",
    "read_settings",
    "restore_tensors",
    "save_state",
    "schedule_factor",
    "seed_step",
    "set_learning_rate",
    "stage_images",
    "stage_model",
    "stage_note",
    "start_from",
    "total",
    "track_pictures",
    "whole",
    "write_settings",
]
