// Makes the replica set of compose.yaml and its accounts, as far as they are
// not there yet. mongosh runs it beside the first member.

const { readFileSync } = require("fs");
const secret = (name) => readFileSync("/run/secrets/" + name, "utf8").trim();
const admin = db.getSiblingDB("admin");

// The account and the database of Enroute are those of the address that the
// nodes are given.
const [, user, password, database] = secret("store")
  .match(/^mongodb:\/\/([^:@]+):([^@]+)@[^/]+\/([^?]+)/).map(decodeURIComponent);

const signIn = () => admin.auth("admin", secret("admin-password"));

// complete says whether there is nothing to do.
function complete() {
  try {
    signIn();
    return db.getSiblingDB(database).getUser(user) !== null;
  } catch {
    return false; // no account yet, or none can be read yet
  }
}

function waitUntilPrimary() {
  while (!db.hello().isWritablePrimary) {
    print("waiting until this member is the primary");
    sleep(1000);
  }
}

function makeAccounts() {
  try {
    admin.createUser({ user: "admin", pwd: secret("admin-password"), roles: ["root"] });
  } catch (e) {
    print("the account admin was not made, it may be there:", e.codeName);
  }
  signIn();
  const own = db.getSiblingDB(database);
  if (own.getUser(user) === null) {
    own.createUser({ user, pwd: password, roles: [{ role: "readWrite", db: database }] });
  }
}

if (!db.hello().setName) {
  rs.initiate({
    _id: "rs0",
    members: [
      // The first one is preferred, so that this script finds it as primary.
      { _id: 0, host: "mongo1:27017", priority: 2 },
      { _id: 1, host: "mongo2:27017" },
      { _id: 2, host: "mongo3:27017" },
    ],
  });
}
if (!complete()) {
  waitUntilPrimary();
  makeAccounts();
}
print("the replica set is there");
