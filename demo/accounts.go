package demo

// accounts are the employees who can sign in.
func accounts() []string {
	ids := []string{adminID, dispatcherID}
	for i := range technicianCount {
		ids = append(ids, technicianID(i))
	}
	return ids
}

// Emails are the addresses of all accounts.
func Emails() []string {
	ids := accounts()
	for i, id := range ids {
		ids[i] = email(id)
	}
	return ids
}

// email is what an employee signs in with.
func email(id string) string { return id + "@demo.example" }
