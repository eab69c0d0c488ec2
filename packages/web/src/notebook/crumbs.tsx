/** The way from the root folder to a file or folder; each folder on it is a link to its page. */
export function Crumbs({ path }: { path: string }) {
  const names = path === '' ? [] : path.split('/');
  return (
    <nav class="crumbs" aria-label="Folders">
      <ol>
        {['', ...names].map((name, index) => {
          const folder = names.slice(0, index).join('/');
          return (
            <li key={folder}>
              {index === names.length ? (
                <span aria-current="page" class="wrap">
                  {name || 'All files'}
                </span>
              ) : (
                <a href={folderUrl(folder)}>{name || 'All files'}</a>
              )}
            </li>
          );
        })}
      </ol>
    </nav>
  );
}

/** The page of a folder, beside this page. */
export function folderUrl(path: string): string {
  return `notebook?${new URLSearchParams({ folder: path })}`;
}

/** The page of a notebook, beside this page. */
export function notebookUrl(path: string): string {
  return `notebook?${new URLSearchParams({ path })}`;
}
