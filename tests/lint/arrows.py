#!/usr/bin/env python3
"""Checks that the folders' dependency arrows hold in the #include lines.

Usage: arrows.py [--self-test]

A folder may include itself and what ALLOWED lists for it, nothing else; some
third-party headers have one home each; and files stay short enough for one
sitting. Findings go to stdout as PATH:LINE: TEXT. Exits 1 if one is an error.
--self-test plants violations in a scratch tree and checks that each is found.
"""

import os
import re
import subprocess
import sys
import tempfile

MODEL_FOR_SERVING = ["model/base", "model/math", "model/net", "model/engine",
                     "model/io"]

# Folder -> the folders that it may include. The longest folder that holds the
# including file counts, so a file directly in server/ is under "server". "x/**"
# is x with all folders below. A folder of code that is not here is an error.
ALLOWED = {
    "proto": [],
    "model/base": [],
    "model/math": ["model/base"],
    "model/net": ["model/base", "model/math"],
    "model/io": ["model/base", "model/math", "model/net"],
    "model/engine": ["model/base", "model/math", "model/net"],
    "model/data": ["model/base", "model/math", "model/net"],
    "model/eval": ["model/base", "model/math", "model/net", "model/engine",
                   "model/data"],
    "model/train": MODEL_FOR_SERVING + ["model/data", "model/eval"],
    "model/compare": MODEL_FOR_SERVING + ["model/data", "model/eval",
                                          "model/train"],
    "model/cli": ["model/**"],
    "server/door": ["model/base"],
    "server/schedule": MODEL_FOR_SERVING,
    "server/repository": MODEL_FOR_SERVING,
    "server/metrics": MODEL_FOR_SERVING + ["server/schedule",
                                           "server/repository"],
    "server/service": MODEL_FOR_SERVING + ["server/door", "server/schedule",
                                           "server/repository",
                                           "server/metrics", "proto/**"],
    "server": MODEL_FOR_SERVING + ["server/**", "proto/**"],
    "client/cc": ["proto/**", "model/base"],
    "client/console": ["client/cc", "proto/**", "model/base"],
    "client/cli": ["client/cc", "client/console", "proto/**", "model/base"],
    "client/loadtest": ["client/cc", "client/console", "proto/**",
                        "model/base"],
    "tests": ["**"],
}

# (what, header pattern, where it may be included). The first pattern that fits
# counts. tests/ may always.
HOMES = [
    ("oneDNN", r"(oneapi/)?dnnl", r"model/math/((conv|kernels)_onednn\.cc|onednn\.h)"),
    ("Prometheus", r"prometheus/|civetweb", r"server/metrics/.*"),
    ("gRPC", r"grpc(pp)?/|grpc\+\+/|.*\.grpc\.pb\.h$",
     r"server/(door|service)/.*|server/server\.(cc|h)|client/cc/.*"),
    ("OpenSSL", r"openssl/", r"server/door/(certificate|tokens)\.cc"),
    ("protobuf", r"google/|.*\.pb\.h$", r"server/service/.*|client/.*"),
    ("JSON", r"nlohmann/",
     r"model/io/safetensors\.cc|model/net/config_json\.cc|"
     r"model/(cli|compare|eval|train)/.*\.cc|model/base/json_fields\.h|"
     r"server/door/tokens\.cc|client/loadtest/report_json\.cc|"
     r"server/config_file\.cc"),
    ("CLI11", r"CLI/",
     r"client/(cli|loadtest)/main\.cc|client/console/(request_flags|usage)\.cc|"
     r"model/cli/main\.cc|server/(config|flags|flag_checks|door_flags)\.(cc|h)"),
]

# Lines: more than SOFT is a warning, more than HARD an error, except for the
# files named here, each with its reason.
SOFT = 400
HARD = 600
HARD_TESTS = 800
LONG_FILES = {}

INCLUDE = re.compile(r'\s*#\s*include\s*([<"])([^">]+)[">]')
ROOTS = ("proto/", "model/", "server/", "client/", "tests/")


def folder_of(path):
    """The longest folder in ALLOWED that holds path, or None."""
    parts = os.path.dirname(path).split("/")
    if parts[0] in ("tests", "proto"):
        return parts[0]
    folder = "/".join(parts[:2])
    return folder if folder in ALLOWED else None


def may_include(folder, target):
    home = os.path.dirname(target)
    for allowed in [folder] + ALLOWED[folder]:
        if allowed == "**" or home == allowed:
            return True
        if allowed.endswith("/**") and (home + "/").startswith(allowed[:-2]):
            return True
    # A folder's own subfolders, but not those of server/, which come first.
    return folder != "server" and home.startswith(folder + "/")


def check_file(root, path):
    """Returns (errors, warnings): lists of "PATH:LINE: TEXT"."""
    errors, warnings = [], []
    with open(os.path.join(root, path), encoding="utf-8") as file:
        lines = file.read().splitlines()

    in_tests = path.startswith("tests/")
    hard = HARD_TESTS if in_tests else HARD
    if len(lines) > hard and path not in LONG_FILES:
        errors.append(f"{path}:1: {len(lines)} lines (at most {hard}): "
                      "it holds two ideas; split it")
    elif len(lines) > SOFT:
        warnings.append(f"{path}:1: {len(lines)} lines (better at most {SOFT})")

    folder = folder_of(path)
    if folder is None:
        errors.append(f"{path}:1: {os.path.dirname(path)}/ has no entry in "
                      "ALLOWED (tests/lint/arrows.py)")
        return errors, warnings

    for number, line in enumerate(lines, 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        bracket, target = match.groups()
        where = f"{path}:{number}:"
        if target.startswith(ROOTS):
            if not may_include(folder, target):
                errors.append(f"{where} {folder} may not include {target}")
        elif bracket == '"' and not any(re.match(p, target)
                                        for _, p, _ in HOMES):
            # Third-party headers may be quoted; ours name their folder.
            directory = os.path.dirname(path)
            if os.path.exists(os.path.join(root, directory, target)):
                errors.append(f"{where} write the include from the root: "
                              f"{directory}/{target}")
        if in_tests or folder == "proto":
            continue
        for what, pattern, home in HOMES:
            if not re.match(pattern, target):
                continue
            if not re.fullmatch(home, path):
                errors.append(f"{where} {what} may not be included here: "
                              f"{target}")
            break
    return errors, warnings


def check(root, paths):
    errors, warnings = [], []
    for path in sorted(paths):
        found = check_file(root, path)
        errors += found[0]
        warnings += found[1]
    return errors, warnings


def source_files(root):
    """C++ files that git tracks or would track."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard",
         "--", "*.cc", "*.h"],
        cwd=root, check=True, capture_output=True, text=True).stdout
    return [path for path in set(listed.split("\0"))
            if path and os.path.exists(os.path.join(root, path))]


def self_test():
    # path -> (text, part of each error expected, in order)
    planted = {
        "model/base/ok.h": ("#include <string>\n", []),
        "model/base/up.h": ('#include "model/math/kernels.h"\n',
                            ["model/base may not include model/math"]),
        "model/net/up.h": ('#include "model/engine/run.h"\n',
                           ["model/net may not include model/engine"]),
        "model/engine/io.cc": ('#include "model/io/checkpoint.h"\n',
                               ["model/engine may not include model/io"]),
        "model/engine/ok.cc": ('#include "model/engine/run.h"\n'
                               '#include "model/net/config.h"\n', []),
        "model/data/up.cc": ('#include "model/eval/outcomes.h"\n'
                             '#include "model/engine/cost.h"\n',
                             ["model/data may not include model/eval",
                              "model/data may not include model/engine"]),
        "model/eval/up.cc": ('#include "model/data/dataset.h"\n'
                             '#include "model/train/trainer.h"\n',
                             ["model/eval may not include model/train"]),
        "model/train/ok.cc": ('#include "model/io/checkpoint.h"\n'
                              '#include "model/eval/evaluate.h"\n', []),
        "model/train/up.h": ('#include "model/compare/plan.h"\n',
                             ["model/train may not include model/compare"]),
        "model/compare/up.h": ('#include "model/train/trainer.h"\n'
                               '#include "model/cli/commands.h"\n',
                               ["model/compare may not include model/cli"]),
        "model/cli/ok.h": ('#include "model/compare/compare.h"\n', []),
        "model/io/server.cc": ('  #  include "server/config.h"\n',
                               ["model/io may not include server/config.h"]),
        "model/io/wire.cc": ('#include "proto/mre/v1/anytime.pb.h"\n'
                             "#include <grpcpp/grpcpp.h>\n",
                             ["model/io may not include proto/",
                              "protobuf may not be included here",
                              "gRPC may not be included here"]),
        "model/math/kernels_onednn.cc": ("#include <dnnl.hpp>\n", []),
        "model/math/other.cc": ('#include "oneapi/dnnl/dnnl.hpp"\n',
                                ["oneDNN may not be included here"]),
        "server/door/ok.cc": ('#include "model/base/log.h"\n'
                              "#include <grpcpp/grpcpp.h>\n", []),
        "server/door/tokens.cc": ("#include <openssl/sha.h>\n"
                                  "#include <nlohmann/json.hpp>\n", []),
        "server/door/up.cc": ('#include "server/metrics/metrics.h"\n'
                              '#include "model/net/config.h"\n'
                              "#include <nlohmann/json.hpp>\n"
                              "#include <openssl/ssl.h>\n",
                              ["server/door may not include server/metrics",
                               "server/door may not include model/net",
                               "JSON may not be included here",
                               "OpenSSL may not be included here"]),
        "server/schedule/a.cc": ('#include "server/repository/watch.h"\n',
                                 ["may not include server/repository"]),
        "server/schedule/b.cc": ('#include "model/train/trainer.h"\n',
                                 ["may not include model/train"]),
        "server/schedule/c.cc": ("#include <prometheus/counter.h>\n",
                                 ["Prometheus may not be included here"]),
        "server/metrics/ok.cc": ('#include "server/schedule/queue.h"\n'
                                 "#include <prometheus/counter.h>\n", []),
        "server/metrics/up.cc": ('#include "server/service/anytime.h"\n',
                                 ["may not include server/service"]),
        "server/service/up.cc": ('#include "server/config.h"\n',
                                 ["may not include server/config.h"]),
        "server/service/ok.cc": ('#include "proto/mre/v1/anytime.pb.h"\n'
                                 '#include "server/metrics/metrics.h"\n', []),
        "server/service/rpc.cc": ("#include <grpcpp/grpcpp.h>\n"
                                  "#include <google/protobuf/message.h>\n"
                                  '#include "proto/mre/v1/anytime.grpc.pb.h"\n',
                                  []),
        "server/schedule/wire.cc": (
            "#include <grpcpp/grpcpp.h>\n"
            "#include <google/protobuf/message.h>\n",
            ["gRPC may not be included here",
             "protobuf may not be included here"]),
        "server/metrics/wire.cc": ("#include <grpc/grpc.h>\n",
                                   ["gRPC may not be included here"]),
        "server/server.cc": ("#include <grpcpp/grpcpp.h>\n"
                             '#include "proto/mre/v1/anytime.pb.h"\n',
                             ["protobuf may not be included here"]),
        "server/main.cc": ('#include "server/service/anytime.h"\n'
                           '#include "server/config.h"\n'
                           "#include <grpcpp/grpcpp.h>\n"
                           "#include <CLI/CLI.hpp>\n",
                           ["gRPC may not be included here",
                            "CLI11 may not be included here"]),
        "server/config.cc": ('#include "client/cc/client.h"\n'
                             "#include <CLI/CLI.hpp>\n",
                             ["server may not include client/cc"]),
        "client/cc/rpc.cc": ("#include <grpcpp/grpcpp.h>\n"
                             '#include "proto/mre/v1/anytime.grpc.pb.h"\n', []),
        "client/cli/rpc.cc": ("#include <google/protobuf/message.h>\n"
                              '#include "proto/mre/v1/anytime.pb.h"\n'
                              '#include "proto/mre/v1/anytime.grpc.pb.h"\n'
                              "#include <nlohmann/json.hpp>\n",
                              ["gRPC may not be included here",
                               "JSON may not be included here"]),
        "client/cli/main.cc": ("#include <CLI/CLI.hpp>\n", []),
        "model/io/safetensors.cc": ("#include <nlohmann/json.hpp>\n", []),
        "model/io/checkpoint.cc": ("#include <nlohmann/json.hpp>\n",
                                   ["JSON may not be included here"]),
        "model/net/config_json.cc": ("#include <nlohmann/json_fwd.hpp>\n", []),
        "model/cli/main.cc": ("#include <CLI/CLI.hpp>\n"
                              "#include <nlohmann/json.hpp>\n", []),
        "model/train/log.h": ("#include <nlohmann/json.hpp>\n"
                              "#include <CLI/App.hpp>\n",
                              ["JSON may not be included here",
                               "CLI11 may not be included here"]),
        "client/cc/up.cc": ('#include "client/console/words.h"\n',
                            ["client/cc may not include client/console"]),
        "client/console/up.cc": ('#include "client/cc/client.h"\n'
                                 '#include "client/cli/text.h"\n'
                                 "#include <CLI/CLI.hpp>\n",
                                 ["client/console may not include client/cli",
                                  "CLI11 may not be included here"]),
        "client/loadtest/up.cc": ('#include "client/console/words.h"\n'
                                  '#include "client/cli/text.h"\n'
                                  "#include <nlohmann/json.hpp>\n",
                                  ["client/loadtest may not include client/cli",
                                   "JSON may not be included here"]),
        "client/loadtest/report_json.cc": ("#include <nlohmann/json.hpp>\n",
                                           []),
        "client/cli/up.cc": ('#include "model/io/idx.h"\n',
                             ["client/cli may not include model/io"]),
        "client/cc/near.h": ("", []),
        "client/cc/near.cc": ('#include "near.h"\n',
                              ["write the include from the root"]),
        "client/new/a.cc": ("", ["client/new/ has no entry"]),
        "tests/model/ok_test.cc": ('#include "server/service/anytime.h"\n'
                                   "#include <dnnl.hpp>\n", []),
        "model/net/long.cc": ("\n" * (HARD + 1), ["601 lines"]),
        "tests/net/long_test.cc": ("\n" * (HARD_TESTS + 1), ["801 lines"]),
        "tests/net/fits_test.cc": ("\n" * HARD_TESTS, []),
    }
    failed = 0
    with tempfile.TemporaryDirectory() as root:
        for path, (text, _) in planted.items():
            os.makedirs(os.path.join(root, os.path.dirname(path)),
                        exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                file.write(text)
        for path, (_, expected) in planted.items():
            errors, _ = check_file(root, path)
            if (len(errors) != len(expected) or
                    not all(e in got for e, got in zip(expected, errors))):
                failed += 1
                print(f"self-test: {path}: expected {expected}, got {errors}")
    print(f"arrows.py --self-test: {len(planted) - failed} passed, "
          f"{failed} failed")
    return failed == 0


def main(args):
    if args == ["--self-test"]:
        return 0 if self_test() else 1
    if args:
        print(__doc__, file=sys.stderr)
        return 0 if args[0] in ("-h", "--help") else 2
    root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
    paths = source_files(root)
    errors, warnings = check(root, paths)
    for warning in warnings:
        print(f"{warning} [warning]")
    for error in errors:
        print(error)
    print(f"arrows.py: {len(paths)} files, {len(errors)} errors, "
          f"{len(warnings)} warnings")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
