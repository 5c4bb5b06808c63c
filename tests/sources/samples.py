"""One good row of every source, as small as the corpus allows."""

import json
from typing import Any

TESTS = json.dumps({"inputs": ["1 2\n", "3 4\n"], "outputs": ["3\n", "7\n"]})
CALLS = json.dumps({"fn_name": "add", "inputs": [[1, 2], [3, 4]], "outputs": [[3], [7]]})

GOOD_ROWS: dict[str, dict[str, Any]] = {
    "apps": {"question": "Add.", "input_output": CALLS, "starter_code": "def add(a, b):", "difficulty": "interview"},
    "code-contests": {
        "name": "1_A. Sum",
        "description": "Add.",
        "public_tests": {"input": ["1 2\n"], "output": ["3\n"]},
        "private_tests": {"input": ["3 4\n"], "output": ["7\n"]},
        "generated_tests": {"input": [], "output": []},
        "cf_rating": 800,
    },
    "gsm8k": {"question": "How many?", "answer": "One and one.\nSo 1 + 1 = <<1+1=2>>2.\n#### 2"},
    "math": {"problem": "1 + 1?", "level": "Level 3", "type": "Algebra", "solution": "Add.\n\nIt is $\\boxed{2}$."},
    "math-aps": {
        "question": "1 + 1?",
        "final_answer": "2",
        "reasoning_steps": {
            "text": "1 + 1?",
            "mc_value": 0.5,
            "children": [
                {"text": "Add.", "mc_value": 0.75, "children": [{"text": "2", "mc_value": 1.0, "children": []}]},
                {"text": "Subtract.", "mc_value": 0.0, "children": []},
            ],
        },
    },
    "math-shepherd": {
        "input": "How many? Step 1: One. ки\nStep 2: Two. ки",
        "label": "How many? Step 1: One. +\nStep 2: Two. -",
        "task": "GSM8K",
    },
    "prm800k": {
        "is_quality_control_question": False,
        "is_initial_screening_question": False,
        "question": {"problem": "1 + 1?", "ground_truth_answer": "2"},
        "label": {
            "steps": [
                {
                    "completions": [{"text": "Add.", "rating": 1}, {"text": "Subtract.", "rating": -1}],
                    "human_completion": None,
                    "chosen_completion": 0,
                },
                {
                    "completions": [{"text": "It is 3.", "rating": -1}],
                    "human_completion": {"text": "It is 2.", "rating": None, "source": "human", "flagged": False},
                    "chosen_completion": None,
                },
            ],
            "finish_reason": "solution",
        },
    },
    "prmbench": {
        "idx": "p_0",
        "modified_question": "1 + 1?",
        "modified_process": ["1. Add.", "2. It is 3."],
        "error_steps": [2],
        "classification": "circular",
    },
    "processbench": {"id": "x-0", "problem": "1 + 1?", "steps": ["Add.", "It is 3."], "label": 1},
    "rows": {"problem": "1 + 1?", "steps": ["Add.", "2"], "labels": [True, 0.5], "answer": "2"},
    "taco": {"question": "Add.", "input_output": TESTS, "starter_code": "", "difficulty": "EASY", "source": "aizu"},
    "trees": {
        "schema": 1,
        "problem": {"id": "p", "prompt": "1 + 1?", "domain": "math", "answer": "2", "tests": []},
        "nodes": [{"parent": -1, "text": "2", "label": {"value": 1.0, "source": "human"}, "finish": "eos"}],
        "meta": [],
    },
    "trl": {"prompt": "1 + 1?", "completions": ["Add.", "3"], "labels": [True, False]},
}
