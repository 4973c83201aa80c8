export * from './native.js'
