"""Inside a build sandbox: opens the network's way out and becomes the step. `step.py EGRESS_SOCKET|- COMMAND…`"""

import os
import subprocess
import sys

egress, command = sys.argv[1], sys.argv[2:]
if egress != "-":
    subprocess.Popen([sys.executable, "-I", "-S", "-B", "/opt/bindery/forward.py", egress], stdin=subprocess.DEVNULL)
os.execvp(command[0], command)
