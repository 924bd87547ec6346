"""The command that opens JupyterLab."""

from jupyter_server.serverapp import ServerApp

from contrastlib.cli.lab import UPLOAD, command


def settings_of(folder, options=()):
    """What the application of the server is made with."""
    server = ServerApp()
    server.parse_command_line(command(folder, options)[3:])
    return server.tornado_settings


def test_the_server_takes_large_pictures(tmp_path):
    """Tornado's own limit is 10 MiB, and it closes the connection of the kernel without a word."""
    assert settings_of(tmp_path) == {"websocket_max_message_size": UPLOAD} and UPLOAD == 2**28


def test_settings_of_the_reader_take_its_place(tmp_path):
    own = "--ServerApp.tornado_settings={'websocket_max_message_size': 5}"
    assert settings_of(tmp_path, [own]) == {"websocket_max_message_size": 5}
