package demo

// Everything in this file is invented: first names and surnames are common
// ones put together by chance, and companies, streets, makes and models do
// not exist.

var firstNames = []string{
	"Josée", "Marc-André", "Chantal", "François", "Geneviève", "Éric", "Mélanie", "Stéphane", "Isabelle", "Benoît",
	"Nathalie", "Jean-Philippe", "Sophie", "Alexandre", "Annie", "Félix", "Martine", "Hugo", "Véronique", "Olivier",
	"Amélie", "Yannick", "Karine", "Guillaume", "Thérèse", "Mathieu", "Sarah", "Rachid", "Linh", "Karim",
	"Maria", "Kevin", "Emily", "Patrick", "Noémie", "Zoé", "Raphaël", "Lucie", "Samuel", "Hélène",
}

var surnames = []string{
	"Tremblay", "Gagnon", "Roy", "Côté", "Bouchard", "Gauthier", "Morin", "Lavoie", "Fortin", "Gagné",
	"Ouellet", "Pelletier", "Bélanger", "Lévesque", "Bergeron", "Leblanc", "Paquette", "Girard", "Simard", "Boucher",
	"Caron", "Beaulieu", "Cloutier", "Dubé", "Poirier", "Fournier", "Lapointe", "Leclerc", "Lefebvre", "Poulin",
	"Thibault", "St-Pierre", "Nadeau", "Martel", "Nguyen", "Haddad", "Diallo", "Smith", "Campbell", "Rossi",
}

var streets = []string{
	"rue des Épinettes-Bleues", "avenue du Vieux-Moulin-Gris", "boulevard des Trois-Hérons", "rue de la Sablière-Haute",
	"chemin du Ruisseau-Clair", "rue des Chardonnerets", "place du Tilleul-Rond", "rue du Forgeron-Martin",
	"avenue des Outardes-Blanches", "montée du Petit-Érable", "rang de la Grande-Baissière", "rue des Lanternes",
	"croissant du Verger-Nord", "rue de l'Ancien-Quai", "boulevard du Grand-Brochet", "rue du Colibri-Rouge",
}

// trades are what business clients do; with a surname they make a company.
var trades = []string{
	"Boulangerie", "Clinique dentaire", "Garage", "Garderie", "Imprimerie", "Restaurant", "Pharmacie", "Entrepôt",
	"Résidence", "Quincaillerie", "Fromagerie", "Centre de yoga", "Cabinet comptable", "Atelier d'ébénisterie",
}

var makes = []string{"Boréalis", "Thermika", "Nordec", "Aqualude", "Ventario"}

// machine is a type of equipment with the work it calls for.
type machine struct {
	kind string
	jobs []string
}

var machines = []machine{
	{"Thermopompe murale", []string{"Entretien annuel de la thermopompe", "La thermopompe gèle", "Recharge de réfrigérant"}},
	{"Fournaise au gaz", []string{"Mise au point de la fournaise", "La fournaise ne part plus", "Remplacement de l'allumeur"}},
	{"Chauffe-eau 60 gallons", []string{"Remplacement du chauffe-eau", "Fuite au chauffe-eau", "Vérification de l'anode"}},
	{"Échangeur d'air", []string{"Nettoyage de l'échangeur d'air", "Remplacement des filtres", "Balancement de l'échangeur"}},
	{"Adoucisseur d'eau", []string{"Entretien de l'adoucisseur", "L'adoucisseur ne se régénère plus"}},
	{"Chaudière à eau chaude", []string{"Inspection de la chaudière", "Purge du circuit de chauffage"}},
}

// bases are the home towns of the technicians: the first six form the team of
// the north shore, the others that of the south shore.
var bases = []string{
	"Laval", "Blainville", "Terrebonne", "Saint-Jérôme", "Repentigny", "Saint-Eustache",
	"Longueuil", "Brossard", "Châteauguay", "Saint-Jean-sur-Richelieu", "Chambly", "Boucherville",
}

var notes = []string{
	"Chien amical dans la cour.", "Sonner à l'entrée de service.", "Stationnement derrière l'immeuble.",
	"Appeler 15 minutes avant d'arriver.", "Clé au bureau du concierge.", "Panneau électrique au sous-sol.",
}

// phonePrefixes are area codes of the region. 555-0100 to 555-0199 are kept
// free for fiction, so that these numbers ring nowhere.
var phonePrefixes = []string{"514", "438", "450", "579"}
