# SPDX-License-Identifier: MIT
"""socat, and what people put in front of a server: nginx and HAProxy as proxies
of TCP, with model_epoll behind. What is told of a proxy is the proxy's own, but
for throughput and latency, which are what both reach."""
import re
import shutil
import signal
from pathlib import Path

from servers import OF_DESCRIPTORS, OF_TASKS, Kind, output_of

TOGETHER = 9900  # connections through a proxy: two descriptors each

NGINX = """{module}
daemon off;
pid {folder}/nginx-{port}.pid;
error_log stderr crit;
worker_processes {cores};
worker_rlimit_nofile 20000;
events {{ worker_connections 19900; }}
stream {{
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    tcp_nodelay on;
    proxy_pass 127.0.0.1:{behind};
  }}
}}
"""
NGINX_MODULE = Path("/usr/lib/nginx/modules/ngx_stream_module.so")

HAPROXY = """global
  nbthread {cores}
  maxconn {together}
defaults
  mode tcp
  timeout connect 10s
  timeout client 10m
  timeout server 10m
listen echo
  bind 127.0.0.1:{port} backlog 4096
  server behind 127.0.0.1:{behind}
"""


def configured(folder, name, text, **values):
    """The file of a configuration."""
    folder = Path(folder).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}-{values['port']}.conf"
    file.write_text(text.format(folder=folder, **values))
    return file


def proxy(program, version, arguments, folder, text, behind, stopped=0,
          **values):
    name = Path(program).name

    def command(port, options, cores):
        file = configured(folder, name, text, port=port, cores=cores,
                          behind=options[0], **values)
        return [program, *arguments, file]
    return Kind(name, command, version, most=TOGETHER,
                limit=OF_DESCRIPTORS, silent=True, behind=behind,
                stopped=stopped)


def nginx(folder, behind):
    program = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
    if program is None or behind is None:
        return None
    told = output_of(program, "-V")
    module = f"load_module {NGINX_MODULE};" if NGINX_MODULE.exists() else ""
    if not module and not re.search(r"--with-stream(\s|$)", told):
        return None
    version = re.search(r"nginx/(\S+)", told).group(1)
    return proxy(program, version, ["-p", Path(folder).resolve(), "-c"],
                 folder, NGINX, behind, module=module)


def haproxy(folder, behind):
    program = shutil.which("haproxy") or shutil.which("/usr/sbin/haproxy")
    if program is None or behind is None:
        return None
    version = re.search(r"version (\S+)", output_of(program, "-v")).group(1)
    return proxy(program, version, ["-f"], folder, HAPROXY, behind,
                 stopped=-signal.SIGTERM, together=TOGETHER)


def socat(_):
    program = shutil.which("socat")
    if program is None:
        return None
    version = re.search(r"version (\S+)", output_of(program, "-V")).group(1)
    return Kind("socat", lambda port, options, cores: [
        program, f"TCP-LISTEN:{port},bind=127.0.0.1,fork,reuseaddr,"
        "backlog=4096,nodelay", "PIPE"], version, silent=True,
        stopped=128 + signal.SIGTERM, **OF_TASKS)
