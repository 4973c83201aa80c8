// Compiled, not run: the CommonJS side has the same types.
import tagwarden = require('tagwarden')

const digest: tagwarden.Digest = tagwarden.Digest.of(new Uint8Array())
const algorithm: 'sha256' | 'sha512' = digest.algorithm
console.log(algorithm)
