"""Kernels are forked from a process that holds the large libraries, and import contrastlib themselves."""

import os
import signal
import time

import pytest
from jupyter_client.manager import start_new_kernel
from jupyter_client.provisioning import KernelProvisionerFactory

from contrastlib.report.notebooks import execution
from contrastlib.report.notebooks.kernel_provisioner import NAME, PRELOADED

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kernel")
    (folder / "own_module.py").touch()
    with execution.kernel_environment({"TOLD": "to the kernel"}), pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(folder))
        # what it asks the environment for when it is first used, which may have been by another test
        patch.setattr(KernelProvisionerFactory.instance(), "default_provisioner_name", NAME)
        manager, client = start_new_kernel(kernel_name="python3", cwd="/")
        yield manager, client, folder
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def printed(client, code):
    said = []
    reply = client.execute_interactive(
        code, timeout=60, output_hook=lambda message: said.append(message["content"].get("text", ""))
    )
    assert reply["content"]["status"] == "ok", reply["content"]
    return "".join(said).strip()


def test_what_is_there_before_the_first_cell(started):
    _, client, folder = started
    assert (
        printed(client, f"import sys, os; print(all(name in sys.modules for name in {PRELOADED!r}))")
        == "True"
    )
    assert printed(client, "print([name for name in sys.modules if name.startswith('contrastlib')])") == "[]"
    assert printed(client, "print(os.environ['TOLD'])") == "to the kernel"
    assert printed(client, "import own_module; print(own_module.__file__)") == os.fspath(
        folder / "own_module.py"
    )
    assert printed(client, "print(os.getcwd())") == "/"
    assert printed(client, "print(sys.argv[0], __name__)") == "ipykernel_launcher __main__"


def test_it_computes_with_threads_after_the_fork(started):
    _, client, _ = started
    code = (
        "import torch; torch.set_num_threads(2); "
        "print(int(torch.ones(512, 512).mm(torch.ones(512, 512)).sum()))"
    )
    assert printed(client, code) == str(512**3)


def test_it_can_be_interrupted(started):
    manager, client, _ = started
    client.execute("import time; time.sleep(60)", stop_on_error=False)
    time.sleep(1)
    manager.interrupt_kernel()
    assert client.get_shell_msg(timeout=30)["content"]["ename"] == "KeyboardInterrupt"
    assert printed(client, "print('again')") == "again"


def test_a_killed_kernel_is_seen_to_be_dead(started):
    manager, _, _ = started
    assert manager.is_alive()
    os.kill(manager.provisioner.pid, signal.SIGKILL)
    for _ in range(100):
        if not manager.is_alive():
            return
        time.sleep(0.1)
    pytest.fail("the kernel was killed, and is said to be alive")


def test_the_environment_names_the_provisioner():
    with execution.kernel_environment({}):
        factory = KernelProvisionerFactory()
        assert factory.default_provisioner_name == NAME and NAME in factory.provisioners
