"""Every piece of Python in the package's README runs."""
import ast
import asyncio
import inspect
import re
import shutil

import mre_serving
import servers

README = servers.SOURCE / "client" / "python" / "README.md"


def test_what_the_readme_shows(server, images, pki, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, found in (("ca.pem", "ca.pem"), ("me.pem", "client.pem"),
                        ("me.key", "client.key")):
        shutil.copy(pki / found, name)
    pieces = re.findall("```python\n(.*?)```", README.read_text(), re.S)
    assert len(pieces) >= 9
    with mre_serving.Client(server.target) as client:
        for piece in pieces:
            code = compile(piece.replace("localhost:8001", server.target),
                           str(README), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            given = {"mre_serving": mre_serving, "asyncio": asyncio,
                     "client": client, "target": server.target, "images": images[:64],
                     "image": images[50], "another": images[7]}
            waiting = eval(code, given)
            if inspect.iscoroutine(waiting):
                asyncio.run(waiting)
