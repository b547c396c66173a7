"""What the tests share. See servers.py for the server binary's place."""
import gzip
import pathlib
import subprocess
import sys

import numpy as np
import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import make_proto  # noqa: E402
import servers  # noqa: E402

DATA = pathlib.Path("/usr/share/datasets/fashion-mnist/t10k-images-idx3-ubyte.gz")


def pytest_configure():
    try:
        make_proto.make()
    except SystemExit as error:
        pytest.exit(str(error), returncode=2)
    if not servers.BINARY.exists():
        pytest.exit(f"{servers.BINARY} is missing: cmake --preset release && "
                    "cmake --build --preset release --target mre-server mre, or say "
                    "where it is with MRE_SERVER", returncode=2)
    if not DATA.exists():
        pytest.exit(f"{DATA} is missing: deploy/install-deps.sh test installs it",
                    returncode=2)


@pytest.fixture(scope="session")
def images():
    """The first 1,000 test images, uint8 [1000, 28, 28, 1]."""
    with gzip.open(DATA) as file:
        data = file.read(16 + 1000 * 784)
    return np.frombuffer(data, np.uint8, offset=16).reshape(-1, 28, 28, 1)


@pytest.fixture(scope="session")
def single(tmp_path_factory):
    """A repository of one model, "fashion-mnist"."""
    repository = tmp_path_factory.mktemp("single")
    servers.copy_model(repository, "fashion-mnist")
    return repository


@pytest.fixture(scope="session")
def slow(tmp_path_factory):
    """A repository of one model, "slow"."""
    repository = tmp_path_factory.mktemp("slow")
    servers.write_slow_model(repository)
    return repository


@pytest.fixture
def start():
    """Starts servers that end with the test, each with status 0 unless killed."""
    started = []

    def begin(repository, *flags):
        started.append(servers.Server(repository, *flags))
        return started[-1]

    yield begin
    for server in started:
        code = server.stop()
        assert code in (0, -9), f"the server ended with {code}"


@pytest.fixture(scope="session")
def server(single):
    """One server of "fashion-mnist" for the tests that leave it as it is."""
    made = servers.Server(single)
    yield made
    assert made.stop() == 0


@pytest.fixture(scope="session")
def slow_server(slow):
    """One server of "slow"."""
    made = servers.Server(slow)
    yield made
    assert made.stop() == 0


@pytest.fixture(scope="session")
def pki(tmp_path_factory):
    """A directory: ca.pem, and server and client certificates that it signed."""
    out = tmp_path_factory.mktemp("pki")

    def openssl(*args):
        subprocess.run(["openssl", *args], cwd=out, check=True, capture_output=True)

    for ca in ("ca", "foreign"):
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1", "-subj",
                f"/CN={ca}", "-keyout", f"{ca}.key", "-out", f"{ca}.pem")
    for name in ("server", "client"):
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                "-nodes", "-subj", f"/CN={name}", "-keyout", f"{name}.key",
                "-out", f"{name}.csr")
        (out / f"{name}.ext").write_text("subjectAltName=DNS:mre.test\n")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey",
                "ca.key", "-CAcreateserial", "-days", "1", "-extfile",
                f"{name}.ext", "-out", f"{name}.pem")
    return out
