// Loaded into a process before its program (node --expose-gc --import): tells whoever started it, when asked, what it takes without garbage.
process.on('message', () => {
  // Twice: what the first leaves to finalizers, the second frees.
  globalThis.gc?.();
  setImmediate(() => {
    globalThis.gc?.();
    const { rss, heapUsed, external } = process.memoryUsage();
    process.send?.({ rss, used: heapUsed + external });
  });
});
process.channel?.unref();
