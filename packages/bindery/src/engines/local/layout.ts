import type { LockedPackage } from '../../contracts/plan.ts';

/** Packages that work inside the Jupyter server, with what they do there. Where one is locked, server and kernel share one environment. */
const SERVER_PACKAGES: Readonly<Record<string, string>> = {
  'jupyter-server-proxy': 'shows other programs through the server',
  'jupyter-rsession-proxy': 'shows RStudio through the server',
  'jupyter-remote-desktop-proxy': 'shows a desktop through the server',
  'jupyter-shiny-proxy': 'shows Shiny through the server',
  'jupyter-vscode-proxy': 'shows an editor through the server',
  'jupyter-codeserver-proxy': 'shows an editor through the server',
  'jupyter-marimo-proxy': 'shows marimo through the server',
  'jupyter-streamlit-proxy': 'shows Streamlit through the server',
  'jhsingle-native-proxy': 'takes the place of the server',
  nbgitpuller: 'is a page of the server',
  nbgrader: 'is a part of the server',
  ngshare: 'is a part of the server',
  voila: 'is a page of the server',
  nbviewer: 'is a page of the server',
  'jupyterlab-git': 'runs Git in the server',
  'jupyterlab-github': 'asks GitHub from the server',
  'jupyterlab-lsp': 'runs language servers beside the server',
  'jupyter-collaboration': 'shares documents in the server',
  'jupyter-server-ydoc': 'shares documents in the server',
  'jupyter-resource-usage': 'measures in the server',
  'jupyterlab-system-monitor': 'measures in the server',
  nbresuse: 'measures in the server',
  'jupyter-ai': 'answers from the server',
  'jupyter-scheduler': 'schedules in the server',
  'jupyterlab-code-formatter': 'formats in the server',
  'jupyter-contrib-nbextensions': 'extends the classic page of the server',
  'jupyter-nbextensions-configurator': 'extends the classic page of the server',
  'dask-labextension': 'shows its dashboard through the server',
  'jupyterlab-nvdashboard': 'measures in the server',
  'jupyter-tensorboard': 'shows its page through the server',
  'jupyterlab-latex': 'runs LaTeX in the server',
  'jupyterlab-slurm': 'runs commands in the server',
  'jupyterlab-sql': 'asks databases from the server',
  'jupyter-archive': 'packs folders in the server',
  'jupyter-fs': 'brings file systems to the server',
  'jupyter-videochat': 'makes rooms in the server',
  nbdime: 'compares notebooks in the server',
  appmode: 'is a page of the server',
};

/** Why these packages need the one-environment layout, in words for people; undefined where none does. */
export function jointReason(packages: readonly Pick<LockedPackage, 'name'>[]): string | undefined {
  const reasons = packages.flatMap(({ name }) => (SERVER_PACKAGES[name] === undefined ? [] : `${name} ${SERVER_PACKAGES[name]}`));
  return reasons.length === 0 ? undefined : reasons.join('; ');
}
