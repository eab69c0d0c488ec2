// A JupyterLab extension as it is loaded by module federation, written by hand: what it needs, JupyterLab itself has.
(() => {
  /** Modules that JupyterLab shares: name, then version, then how to get it. */
  let shared;

  async function use(name) {
    const versions = Object.values(shared[name] ?? {});
    if (versions.length === 0) throw new Error(`JupyterLab shares no ${name}.`);
    return (await versions[0].get())();
  }

  async function plugins() {
    const [{ INotebookTracker }, { InputDialog, Notification }, { ServerConnection }, { URLExt }] = await Promise.all(
      ['@jupyterlab/notebook', '@jupyterlab/apputils', '@jupyterlab/services', '@jupyterlab/coreutils'].map(use),
    );

    /** Asks for what code that the hub runs wants to be told (`input()`): whoever of those who are there answers first. */
    class Questions {
      constructor(panel) {
        this.panel = panel;
        this.model = panel.content.model.sharedModel;
        this.table = this.model.ydoc.getMap('table:stdin');
        /** Those that are shown, or were answered here. */
        this.known = new Set();
        this.look = () => void this.ask();
        this.table.observeDeep(this.look);
        panel.disposed.connect(() => this.table.unobserveDeep(this.look));
        this.look();
      }

      isOpen(id) {
        const execution = this.table.get(id)?.get('execution');
        const row = this.model.ydoc.getMap('table:executions').get(execution);
        return this.table.get(id)?.get('answer') === null && row?.get('status')?.status === 'in progress';
      }

      async ask() {
        for (const id of this.table.keys()) {
          if (this.known.has(id) || !this.isOpen(id)) continue;
          this.known.add(id);
          await this.show(id, this.table.get(id)).catch((error) => Notification.error(String(error.message ?? error)));
        }
      }

      async show(id, record) {
        const options = { title: 'The running code asks', label: record.get('prompt') || 'Input', okLabel: 'Answer' };
        const { button, value } = await (record.get('isPassword') ? InputDialog.getPassword(options) : InputDialog.getText(options));
        if (!button.accept || !this.isOpen(id)) return;
        const settings = ServerConnection.makeSettings();
        const body = JSON.stringify({ document_id: this.model.getState('document_id'), value: value ?? '' });
        const url = URLExt.join(settings.baseUrl, 'api/bindery/stdin', encodeURIComponent(id));
        const response = await ServerConnection.makeRequest(url, { method: 'POST', body }, settings);
        if (!response.ok) throw await ServerConnection.ResponseError.create(response);
      }
    }

    return [
      {
        id: '@bindery/session:input',
        description: 'Answers to what running code asks for.',
        autoStart: true,
        requires: [INotebookTracker],
        activate: (_app, tracker) => {
          tracker.widgetAdded.connect((_sender, panel) => {
            void panel.context.ready.then(() => panel.isDisposed || new Questions(panel));
          });
        },
      },
    ];
  }

  window._JUPYTERLAB = window._JUPYTERLAB ?? {};
  window._JUPYTERLAB['@bindery/session'] = {
    init: (scope) => {
      shared = scope;
    },
    get: async (name) => {
      if (name !== './extension') throw new Error(`There is no ${name} here.`);
      const found = await plugins();
      return () => ({ __esModule: true, default: found });
    },
  };
})();
