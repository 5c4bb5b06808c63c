"""Run by bench/training.py in TRL's own environment: its PRMTrainer on some rows, timed epoch by epoch in CPU seconds.

    python trl_prm.py MODEL ROWS.json EPOCHS BATCH OUT.json

MODEL is a folder for AutoModelForTokenClassification. Padded batches, fp32, one thread, no evaluation, no saving.
"""

import json
import sys
import time
import warnings

import torch
from datasets import Dataset
from transformers import AutoModelForTokenClassification, PreTrainedTokenizerFast, TrainerCallback
from trl.experimental.prm import PRMConfig, PRMTrainer

warnings.filterwarnings("ignore")
model_folder, rows_file, epochs, batch, out = sys.argv[1:]


class Clock(TrainerCallback):
    """The moment of each epoch's end, and the loss of each step."""

    def __init__(self):
        self.times, self.losses = [], []

    def on_epoch_begin(self, args, state, control, **kwargs):
        if not self.times:
            self.times.append(time.process_time())

    def on_epoch_end(self, args, state, control, **kwargs):
        self.times.append(time.process_time())

    def on_log(self, args, state, control, logs=None, **kwargs):
        if logs and "loss" in logs:
            self.losses.append(float(logs["loss"]))


torch.manual_seed(0)
torch.set_num_threads(1)
tokenizer = PreTrainedTokenizerFast.from_pretrained(model_folder)  # AutoTokenizer would bring Qwen's own splitting
model = AutoModelForTokenClassification.from_pretrained(model_folder, num_labels=2, dtype=torch.float32)
with open(rows_file) as file:
    rows = json.load(file)
config = PRMConfig(
    output_dir=out + ".trl",
    num_train_epochs=int(epochs),
    per_device_train_batch_size=int(batch),
    learning_rate=1e-3,
    lr_scheduler_type="constant",
    max_length=4096,
    max_completion_length=None,
    gradient_checkpointing=False,
    bf16=False,
    use_cpu=not torch.cuda.is_available(),
    logging_steps=1,
    save_strategy="no",
    report_to=[],
    disable_tqdm=True,
)
clock = Clock()
trainer = PRMTrainer(
    model=model, args=config, train_dataset=Dataset.from_list(rows), processing_class=tokenizer, callbacks=[clock]
)
trainer.train()
seconds = [after - before for before, after in zip(clock.times, clock.times[1:], strict=False)]
with open(out, "w") as file:
    json.dump({"seconds": seconds, "losses": clock.losses}, file)
