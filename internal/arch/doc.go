// Package arch holds no program code: its tests are the rules of this
// repository that a compiler does not know. They read the source files
// themselves, so that the test cache notices every change.
package arch
