from tests.tools.ssh_server import ssh_server

__all__ = ["ssh_server"]  # a fixture
