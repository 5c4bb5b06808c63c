"""Run by bench/data.py in TRL's own environment: its PRMTrainer's tokenisation of a data set, timed.

    python trl_tokenize.py TOKENIZER ROWS.jsonl PROCESSES FIRST OUT.json

ROWS are of TRL's form. What is timed is the call of ``map`` in ``PRMTrainer.__init__``, with its arguments
(trl/experimental/prm/prm_trainer.py). OUT gets its seconds, the rows and tokens, and the ids and labels of the FIRST
rows. What ``datasets`` caches goes to HF_DATASETS_CACHE.
"""

import json
import sys
import time
import warnings

import pyarrow.compute as pc
from datasets import Dataset, disable_progress_bars, features
from transformers import PreTrainedTokenizerFast

warnings.filterwarnings("ignore")
from trl.experimental.prm import PRMTrainer  # noqa: E402


def main():
    tokenizer_folder, rows_file, processes, first, out = sys.argv[1:]
    disable_progress_bars()
    tokenizer = PreTrainedTokenizerFast.from_pretrained(tokenizer_folder)
    train_dataset = Dataset.from_json(rows_file)
    fn_kwargs = {
        "tokenizer": tokenizer,
        "step_separator": "\n",
        "max_length": 4096,
        "max_completion_length": None,
        "train_on_last_step_only": False,
    }
    start = time.perf_counter()
    train_dataset = train_dataset.map(
        PRMTrainer.tokenize_row,
        fn_kwargs={**fn_kwargs, "is_eval": False},
        num_proc=int(processes),
        remove_columns=train_dataset.features,
        desc="Tokenizing train dataset",
        features=features.Features(
            {
                "labels": features.Sequence(features.Value("int64")),
                "input_ids": features.Sequence(features.Value("int64")),
            }
        ),
    )
    seconds = time.perf_counter() - start
    tokens = pc.sum(pc.list_value_length(train_dataset.data.column("input_ids"))).as_py()
    head = train_dataset[: int(first)]
    found = {"seconds": seconds, "rows": len(train_dataset), "tokens": tokens}
    with open(out, "w") as file:
        json.dump({**found, "ids": head["input_ids"], "labels": head["labels"]}, file)


if __name__ == "__main__":
    main()
