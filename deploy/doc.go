// Package deploy holds the files with which Enroute is deployed on several
// nodes, and the tests that read them as Docker Compose would.
package deploy
