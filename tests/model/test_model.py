"""Any order of answers, edits, restarts, outages, clock jumps and odd lists keeps every promise at every step."""

import os

import pytest
from hypothesis import Phase
from hypothesis import settings as run_settings

from model.discovering import Discovering
from model.sharing import Sharing

EXAMPLES = int(os.environ.get("MODEL_EXAMPLES", "0"))
pytestmark = pytest.mark.timeout(3600 if EXAMPLES else 300)  # one test is the whole run


TestGemwatch = Discovering.TestCase
TestOnPostgresql = Sharing.TestCase
TestGemwatch.settings = run_settings(
    max_examples=EXAMPLES or 8,
    stateful_step_count=25,
    deadline=None,
    derandomize=not EXAMPLES,
    database=None,
    phases=[Phase.generate],  # the steps of a run are readable, and shrinking them would take an hour
)
TestOnPostgresql.settings = run_settings(TestGemwatch.settings, max_examples=EXAMPLES // 4 or 1)
