"""The start of a session's Jupyter server, inside its sandbox, if there is one: stock JupyterLab minus what makes it slow and loud.

Run as `python -I -B serve.py ORDER_FD`, where ORDER_FD yields one JSON object (see ORDER below) and then stays open: its end
of file asks the server to end. Nothing secret is in the command line or the environment.

ORDER: {"listen": fd of a listening UNIX socket, "ready": fd that gets one byte when the server answers,
        "token": the server's token, "base": "/s/<id>/", "root": folder, "open": "lab" or "lab/tree/...",
        "copy": [[from, to], ...] folders copied before the server starts, "exclude": [lines for .git/info/exclude],
        "shared": folder of the parts of JupyterLab by which documents are shared, or null,
        "forward": command that makes the network's way out, or null, "shell": the terminals' shell}
"""

import json
import os
import subprocess
import sys
import types


def read_order(fd):
    data = b""
    while not data.endswith(b"\n"):
        chunk = os.read(fd, 65536)
        if not chunk:
            sys.exit("serve: the order ended early")
        data += chunk
    return json.loads(data)


def lazy_rfc3987():
    """jsonschema's optional checker compiles a grammar at import (0.75 s); nobody needs it before the first use."""
    stand_in = types.ModuleType("rfc3987_syntax")

    def is_valid_syntax(term, value):
        sys.modules.pop("rfc3987_syntax", None)
        import rfc3987_syntax

        sys.modules["rfc3987_syntax"] = stand_in
        stand_in.is_valid_syntax = rfc3987_syntax.is_valid_syntax
        return rfc3987_syntax.is_valid_syntax(term, value)

    stand_in.is_valid_syntax = is_valid_syntax
    sys.modules["rfc3987_syntax"] = stand_in


def lazily(*names):
    """Modules that the server imports at its start and uses rarely or never: loaded at their first use (importlib's lazy loader)."""
    import importlib.util

    for name in names:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.loader is None:
            continue
        spec.loader = importlib.util.LazyLoader(spec.loader)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)


def no_ipython():
    """notebook_shim wants the name of IPython's folder and nothing else of it."""
    if "IPython" in sys.modules:
        return
    package, paths = types.ModuleType("IPython"), types.ModuleType("IPython.paths")
    package.__path__ = []
    package.paths = paths
    paths.get_ipython_dir = lambda: os.environ.get("IPYTHONDIR") or os.path.expanduser("~/.ipython")
    sys.modules["IPython"], sys.modules["IPython.paths"] = package, paths


def ipython_again():
    """From here on whoever asks gets the real one."""
    if not getattr(sys.modules.get("IPython"), "__file__", None):
        sys.modules.pop("IPython", None)
        sys.modules.pop("IPython.paths", None)


def no_yarn():
    """LabApp's class body asks yarn for its configuration, by starting node, whenever node is on PATH."""
    try:
        import jupyterlab.commands as commands
    except ImportError:
        return
    commands._yarn_config = lambda logger: {"yarn config": {}, "npm config": {}}


def eager_nudge():
    """The kernel WebSocket asks a starting kernel whether it is up, at once and then each half second; ask more often at first."""
    try:
        import jupyter_server.services.kernels.connection.channels as channels
    except ImportError:
        return
    stock = getattr(channels, "IOLoop", None)
    if stock is None:
        return

    class Eager:
        def __init__(self, loop):
            self._loop = loop

        def call_later(self, delay, callback, *args, **kwargs):
            count = args[0] if args and isinstance(args[0], int) else 0
            return self._loop.call_later(0.04 if delay == 0.5 and count < 40 else delay, callback, *args, **kwargs)

        def __getattr__(self, name):
            return getattr(self._loop, name)

    class EagerIOLoop(stock):
        @staticmethod
        def current(*args, **kwargs):
            return Eager(stock.current(*args, **kwargs))

    channels.IOLoop = EagerIOLoop


def settings(order):
    from traitlets.config import Config

    config = Config()
    server = config.ServerApp
    server.base_url = order["base"]
    server.root_dir = order["root"]
    server.open_browser = False
    server.allow_remote_access = True  # the Host header is the proxy's business
    server.allow_origin = "*"  # so is the Origin: the proxy refuses what is foreign before it gets here
    server.trust_xheaders = True
    server.allow_root = True
    server.log_level = "WARN"
    server.quit_button = False
    server.terminado_settings = {"shell_command": order["shell"]}
    server.jpserver_extensions = {"jupyter_lsp": False}
    config.IdentityProvider.token = order["token"]
    if server_version() < 2:
        server.token = order["token"]
    config.KernelManager.transport = "ipc"
    config.KernelSpecManager.ensure_native_kernel = False
    config.ContentsManager.allow_hidden = True
    config.LabApp.extension_manager = "readonly"
    config.LabApp.news_url = None
    config.LabApp.check_for_updates_class = "jupyterlab.NeverCheckForUpdate"
    config.LabServerApp.blocked_extensions_uris = ""
    if order.get("shared"):
        config.LabApp.extra_labextensions_path = [order["shared"]]
    return config


def server_version():
    from jupyter_server import version_info

    return version_info[0]


def prepare(order):
    """Content is copied while Python imports; both are needed before the server answers."""
    reflinks = "--reflink=auto" if sys.platform == "linux" else ""
    script = f'while [ $# -gt 1 ]; do cp -a {reflinks} -- "$1/." "$2/" || exit 1; shift 2; done'
    flat = [path for pair in order["copy"] for path in pair]
    return subprocess.Popen(["/bin/sh", "-c", script, "copy", *flat]) if flat else None


def finish_content(copying, order):
    if copying is not None and copying.wait() != 0:
        sys.exit("serve: the repository's content could not be copied")
    info = os.path.join(order["root"], ".git", "info")
    if os.path.isdir(os.path.join(order["root"], ".git")):
        os.makedirs(info, exist_ok=True)
        with open(os.path.join(info, "exclude"), "a") as file:
            file.write("".join(f"{line}\n" for line in order["exclude"]))


def load():
    """Everything that is the same for all sessions and takes time: the imports, minus what makes them slow."""
    lazy_rfc3987()
    lazily("requests", "httpx")
    no_ipython()
    no_yarn()
    from jupyterlab.labapp import LabApp

    eager_nudge()
    return LabApp


def run(order, order_fd, app=None):
    """One session's server, to its end. `app`: what load() gave, where that was done before."""
    for fd in (order_fd, order["listen"], order["ready"]):
        os.set_inheritable(fd, False)
    copying = prepare(order)
    if order["forward"]:
        subprocess.Popen(order["forward"], stdin=subprocess.DEVNULL)
    app = app or load()
    finish_content(copying, order)
    os.chdir(order["root"])
    if "PIP_TARGET" in os.environ:
        os.makedirs(os.environ["PIP_TARGET"], exist_ok=True)  # Python forgets folders of its path that were not there at its start
    serve(app, order, order_fd)


def serve(LabApp, order, order_fd):
    import socket

    from jupyter_server.serverapp import ServerApp

    listening = socket.socket(fileno=order["listen"])
    listening.setblocking(False)

    def ready():
        os.write(order["ready"], b"1")
        os.close(order["ready"])

    def bind(app):
        app._http_server.add_socket(listening)
        app.io_loop.add_callback(ready)
        app.io_loop.add_handler(order_fd, lambda *_: end(app), app.io_loop.READ)
        return True  # jupyter_server 1 asks whether it could

    def end(app):
        app.io_loop.remove_handler(order_fd)
        app.stop(from_signal=True)

    ServerApp._bind_http_server = bind
    ServerApp._find_http_port = lambda app: None
    # These would write the token to files and to the log.
    ServerApp.write_server_info_file = lambda app: None
    ServerApp.write_browser_open_files = lambda app: None
    ServerApp.running_server_info = lambda app, kernel_count=True: "The server is running."
    app = LabApp.initialize_server([], config=settings(order))
    if order.get("shared"):
        # Cells are run by the hub, whoever's browser stays open.
        app.web_app.settings.setdefault("page_config_data", {})["serverSideExecution"] = "true"
    ipython_again()
    app.start()


if __name__ == "__main__":
    run(read_order(int(sys.argv[1])), int(sys.argv[1]))
