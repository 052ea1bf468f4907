'use strict';

const fs = require('node:fs');
const path = require('node:path');

const PROJECT = path.resolve(__dirname, '..', '..');

/**
 * Finds imports as the native compiler does: under the base path, then each include path. The
 * project is searched last, because Ape compiles a copy of contracts/ that has no node_modules.
 */
class SourceReader {
  constructor({ basePath, includePaths }) {
    this.roots = [basePath || '.', ...includePaths, PROJECT];
  }

  /** Answers the compiler's import callback for one source unit name. */
  read(name) {
    const bare = name.replace(/^file:\/\//, '');
    for (const root of this.roots) {
      const file = path.resolve(root, bare);
      if (fs.existsSync(file)) return { contents: fs.readFileSync(file, 'utf8') };
    }
    return { error: `File not found: ${name}` };
  }
}

module.exports = { PROJECT, SourceReader };
