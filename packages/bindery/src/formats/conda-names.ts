/** How a conda package can come from a Python index. */
export type IndexName =
  | { readonly name: string; readonly renamed: boolean }
  /** Not there, or something else has the name. */
  | { readonly missing: string };

/** Well-known packages that have another name on PyPI. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  'dask-core': 'dask',
  'lightgbm-cpu': 'lightgbm',
  'matplotlib-base': 'matplotlib',
  'msgpack-python': 'msgpack',
  'numpy-base': 'numpy',
  opencv: 'opencv-python-headless',
  'py-lief': 'lief',
  'py-opencv': 'opencv-python-headless',
  'py-xgboost': 'xgboost',
  pyqt: 'pyqt5',
  pytables: 'tables',
  'python-build': 'build',
  'python-graphviz': 'graphviz',
  'python-kaleido': 'kaleido',
  'python-xxhash': 'xxhash',
  pytorch: 'torch',
  'pytorch-cpu': 'torch',
  'ray-default': 'ray',
  'seaborn-base': 'seaborn',
  'tensorflow-gpu': 'tensorflow',
  'tensorflow-base': 'tensorflow',
};

/** Programs and libraries that are no Python packages; some of these names belong to unrelated projects on PyPI. */
const NOT_PYTHON =
  /^(?:_|r-|bioconductor-|perl|lib|xorg-|m2-|m2w64-|gcc|gxx|gfortran|clang|llvm|cuda|cudnn|texlive|openjdk|ghc|julia|octave|ruby|go$|rust|nodejs|yarn|git$|git-lfs|make$|automake|autoconf|binutils|bzip2|zlib|zstd|xz$|tk$|sqlite$|readline|ncurses|openssl|ca-certificates|curl$|wget$|ffmpeg|graphviz$|imagemagick|ghostscript|pandoc$|hdf5|netcdf-|fftw|gsl$|gmp$|mpfr|boost|eigen|blas|lapack|openblas|mkl$|mpich|openmpi|mpi$|geos$|gdal|proj$|udunits2|nco$|cdo$|samtools|bcftools|bwa$|bowtie|blast|root$|geant4|compilers|c-compiler|cxx-compiler|fortran-compiler|conda|mamba|anaconda|nb_conda|vs20|vc$|postgresql|redis$|mysql|java-|maven|gtk|glib$|cairo$|pango|qt$|qt-|patchelf|tree$|vim$|unzip|zip$|p7zip|parallel$|htop|tmux|nano$)/;

/** What conda brings along and Python's tools have anyway. */
const OF_THE_ENVIRONMENT = new Set(['python', 'pip', 'nodefaults', 'python_abi', 'pypy']);

/** The name under which PyPI has what conda calls `name`. Undefined for `python` and `pip` themselves. */
export function indexName(name: string): IndexName | undefined {
  if (OF_THE_ENVIRONMENT.has(name)) return undefined;
  const other = OTHER_NAMES[name];
  if (other !== undefined) return { name: other, renamed: other !== name };
  if (NOT_PYTHON.test(name)) return { missing: name };
  return { name, renamed: false };
}
