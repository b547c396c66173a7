"""Certificates for tests, made by the openssl command when they are needed."""
import os
import subprocess


def openssl(*args):
    subprocess.run(["openssl", *args], check=True, capture_output=True)


class Authority:
    """A certificate authority in a folder of its own."""

    def __init__(self, folder, name):
        self.folder = folder
        self.name = name
        self.cert = os.path.join(folder, f"{name}.pem")
        self.key = os.path.join(folder, f"{name}.key")
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj",
                f"/CN={name}", "-keyout", self.key, "-out", self.cert)

    def issue(self, name, subject="localhost", expired=False):
        """Paths of a new certificate and its key, for localhost."""
        cert = os.path.join(self.folder, f"{name}.pem")
        key = os.path.join(self.folder, f"{name}.key")
        request = os.path.join(self.folder, f"{name}.csr")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                "-nodes", "-subj", f"/CN={subject}", "-addext",
                "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key,
                "-out", request)
        if not expired:
            openssl("x509", "-req", "-in", request, "-CA", self.cert, "-CAkey",
                    self.key, "-CAcreateserial", "-days", "10",
                    "-copy_extensions", "copy", "-out", cert)
            return cert, key
        # "x509 -days" begins now; only "ca" can make what is over already.
        index = os.path.join(self.folder, f"{name}.index")
        open(index, "w", encoding="utf-8").close()
        config = os.path.join(self.folder, f"{name}.cnf")
        with open(config, "w", encoding="utf-8") as file:
            file.write(f"[ca]\ndefault_ca=it\n[it]\ndatabase={index}\n"
                       f"new_certs_dir={self.folder}\nrand_serial=yes\n"
                       "default_md=sha256\npolicy=any\ncopy_extensions=copy\n"
                       "[any]\ncommonName=supplied\n")
        openssl("ca", "-batch", "-config", config, "-cert", self.cert,
                "-keyfile", self.key, "-in", request, "-out", cert,
                "-notext", "-startdate", "20200101000000Z", "-enddate",
                "20200201000000Z")
        return cert, key


def read(path):
    with open(path, "rb") as file:
        return file.read()


def replace(path, source):
    """Puts the contents of `source` at `path`, as careful admins do."""
    with open(path + ".new", "wb") as file:
        file.write(read(source))
    os.chmod(path + ".new", 0o600)
    os.rename(path + ".new", path)
