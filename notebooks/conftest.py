"""nbval runs the stored notebooks as `python -m contrastlib run --save` did: same threads, no photographs."""

from pathlib import Path

import pytest
from jupyter_client.provisioning import KernelProvisionerFactory

from contrastlib.report.notebooks import execution, kernel_provisioner


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    if not item.path.is_relative_to(Path(__file__).parent):  # this hook is called for every test there is
        return (yield)
    if "verdict_table(" in getattr(getattr(item, "cell", None), "source", ""):
        # its words are compared; effects may differ in the last printed digit on another processor
        item.parent.skip_compare = (*item.parent.skip_compare, "text/markdown")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in execution.QUICK_ENVIRONMENT.items():
            patch.setenv(name, value)
        patch.setattr(
            KernelProvisionerFactory.instance(), "default_provisioner_name", kernel_provisioner.NAME
        )
        patch.setenv("CONTRASTLIB_DATA", str(item.config.rootpath / "_build" / "no-data"))
        return (yield)
