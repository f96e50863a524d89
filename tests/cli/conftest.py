"""Commands are tried on the same studies, batches and servers as the modules behind them."""

from batch.conftest import make_jobs, nights  # noqa: F401
from datasets.conftest import mirror, quick, server  # noqa: F401
from study.conftest import folder, study  # noqa: F401
