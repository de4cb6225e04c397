"""temporary"""
import sys
from pathlib import Path
from gateway.cli.serve import serve, sandbox
a=sys.argv[1:]
cfg=Path(a[a.index("--config")+1])
if a[0]=="sandbox": sandbox(cfg)
else: serve(cfg, a[a.index("--role")+1] if "--role" in a else "all")
