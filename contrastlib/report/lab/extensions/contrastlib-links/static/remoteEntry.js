// A link to a place in a notebook, such as 05_corrections.ipynb#erratum-13, leads to that place.
//
// JupyterLab looks for the place when the file is read. A notebook that was not open before has nothing on the
// screen then, and so it stays at its top. Here the place is looked for again as soon as it is there.
(() => {
    const OPENED = "rendermime:handle-local-link"; // the command that a link of a notebook runs
    const SECONDS = 60; // within which a notebook appears, even on a slow machine

    const pause = milliseconds => new Promise(resolve => setTimeout(resolve, milliseconds));

    async function lead(app, { path, id }) {
        const selector = `[data-jupyter-id="${CSS.escape(id.slice(1))}"]`;
        for (const end = Date.now() + 1000 * SECONDS; Date.now() < end; await pause(100)) {
            const panel = app.shell.currentWidget;
            const place = panel?.context?.path === path && panel.node.querySelector(selector);
            if (place) {
                for (let closed = place.closest("details"); closed; closed = closed.parentElement.closest("details")) {
                    closed.open = true;
                }
                await settled(panel.node);
                return place.scrollIntoView();
            }
        }
    }

    // outputs above the place, such as formulas, are drawn one after the other, and move it
    async function settled(node) {
        let height;
        do {
            height = node.querySelector(".jp-WindowedPanel-inner, .jp-Notebook")?.scrollHeight;
            await pause(300);
        } while (height !== node.querySelector(".jp-WindowedPanel-inner, .jp-Notebook")?.scrollHeight);
    }

    const plugin = {
        id: "contrastlib-links:plugin",
        description: "A link to a place in a notebook that is not open yet leads to that place.",
        autoStart: true,
        activate: app => app.commands.commandExecuted.connect((_, { id, args }) => {
            if (id === OPENED && args.id && args.path?.endsWith(".ipynb")) lead(app, args);
        }),
    };

    window._JUPYTERLAB = window._JUPYTERLAB || {};
    window._JUPYTERLAB["contrastlib-links"] = { init: () => {}, get: async () => () => ({ __esModule: true, default: plugin }) };
})();
