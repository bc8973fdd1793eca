//! Tables of words for [`normalise`](super::normalise): what interfaces are made of, what
//! stands before names, and which programs show documents. All in lower case.
//!
//! A word that is missing here costs readability (a capitalised pair of unknown words is
//! taken for a name); a word too much costs privacy only where it is also a name.

use std::collections::BTreeSet;
use std::sync::LazyLock;

/// What a program's windows are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Program {
    /// Documents of the person, or conversations and messages: their names say whose.
    Content,
    /// Pages, whose titles are mostly the same for all.
    Browser,
}

/// The program that a part of a title names.
pub(super) fn program(part: &str) -> Option<Program> {
    if BROWSERS.contains(&part) {
        Some(Program::Browser)
    } else if CONTENT.contains(&part) {
        Some(Program::Content)
    } else {
        None
    }
}

const BROWSERS: &[&str] = &[
    "google chrome",
    "chrome",
    "chromium",
    "mozilla firefox",
    "firefox",
    "firefox esr",
    "microsoft edge",
    "edge",
    "safari",
    "opera",
    "brave",
    "vivaldi",
    "internet explorer",
    "mozilla firefox private browsing",
    "google chrome canary",
    "firefox developer edition",
    "epiphany",
    "gnome web",
    "yandex browser",
    "tor browser",
];

const CONTENT: &[&str] = &[
    // Office and text.
    "word",
    "microsoft word",
    "excel",
    "microsoft excel",
    "powerpoint",
    "microsoft powerpoint",
    "onenote",
    "microsoft onenote",
    "visio",
    "microsoft visio",
    "microsoft project",
    "publisher",
    "microsoft publisher",
    "access",
    "microsoft access",
    "libreoffice",
    "libreoffice writer",
    "libreoffice calc",
    "libreoffice impress",
    "libreoffice draw",
    "libreoffice base",
    "libreoffice math",
    "openoffice",
    "openoffice writer",
    "openoffice calc",
    "onlyoffice",
    "onlyoffice desktop editors",
    "wps office",
    "pages",
    "numbers",
    "keynote",
    "textedit",
    "notepad",
    "editor",
    "notepad++",
    "wordpad",
    "gedit",
    "text editor",
    "texteditor",
    "mousepad",
    "kate",
    "kwrite",
    "pluma",
    "xed",
    "featherpad",
    "leafpad",
    "geany",
    "sublime text",
    "atom",
    "typora",
    "obsidian",
    "notion",
    "evernote",
    "joplin",
    "zettlr",
    "google docs",
    "google sheets",
    "google slides",
    "google forms",
    "google drive",
    "onedrive",
    "dropbox",
    "sharepoint",
    "box",
    "overleaf",
    "microsoft word online",
    "word online",
    "excel online",
    "microsoft lists",
    "planner",
    "trello",
    "miro",
    "figma",
    "canva",
    "google tabellen",
    "google präsentationen",
    // Readers and pictures.
    "adobe acrobat",
    "adobe acrobat reader",
    "adobe acrobat reader dc",
    "adobe acrobat pro",
    "adobe acrobat pro dc",
    "adobe acrobat reader (64-bit)",
    "acrobat reader",
    "adobe reader",
    "foxit reader",
    "foxit pdf reader",
    "foxit phantompdf",
    "pdf-xchange editor",
    "pdf-xchange viewer",
    "sumatrapdf",
    "okular",
    "evince",
    "document viewer",
    "dokumentenbetrachter",
    "atril",
    "preview",
    "vorschau",
    "image viewer",
    "bildbetrachter",
    "eye of gnome",
    "gwenview",
    "irfanview",
    "photos",
    "fotos",
    "paint",
    "gimp",
    "gnu image manipulation program",
    "adobe photoshop",
    "photoshop",
    "adobe illustrator",
    "adobe indesign",
    "inkscape",
    "krita",
    "vlc media player",
    "vlc",
    "windows media player",
    "audacity",
    "blender",
    "autocad",
    "solidworks",
    // Programming.
    "visual studio code",
    "vs code",
    "vscodium",
    "code",
    "code - oss",
    "microsoft visual studio",
    "visual studio",
    "intellij idea",
    "pycharm",
    "webstorm",
    "phpstorm",
    "goland",
    "clion",
    "rider",
    "datagrip",
    "android studio",
    "eclipse",
    "eclipse ide",
    "netbeans",
    "xcode",
    "qt creator",
    "vim",
    "gvim",
    "nvim",
    "neovim",
    "emacs",
    "gnu emacs",
    "cursor",
    "zed",
    "jupyter notebook",
    "jupyterlab",
    "rstudio",
    "spyder",
    "dbeaver",
    "postman",
    "gitkraken",
    "sourcetree",
    // Files and terminals.
    "file explorer",
    "explorer",
    "windows explorer",
    "datei-explorer",
    "explorateur de fichiers",
    "finder",
    "files",
    "dateien",
    "fichiers",
    "nautilus",
    "dolphin",
    "thunar",
    "nemo",
    "caja",
    "pcmanfm",
    "7-zip",
    "winrar",
    "winzip",
    "filezilla",
    "winscp",
    "total commander",
    "terminal",
    "konsole",
    "xterm",
    "putty",
    "windows powershell",
    "command prompt",
    "eingabeaufforderung",
    // Mail and calendar.
    "outlook",
    "microsoft outlook",
    "outlook web app",
    "outlook (classic)",
    "mail",
    "thunderbird",
    "mozilla thunderbird",
    "gmail",
    "google mail",
    "yahoo mail",
    "gmx",
    "web.de",
    "evolution",
    "kmail",
    "geary",
    "apple mail",
    "lotus notes",
    "ibm notes",
    "hcl notes",
    "message (html)",
    "message (plain text)",
    "message (rich text)",
    "message",
    "nachricht (html)",
    "nachricht (nur text)",
    "nachricht",
    "nachricht (rich-text)",
    "message (texte brut)",
    "message html",
    "meeting",
    "besprechung",
    "appointment",
    "termin",
    "réunion",
    "rendez-vous",
    "google calendar",
    "google kalender",
    "calendar",
    "kalender",
    "contact",
    "kontakt",
    "contacts",
    "kontakte",
    "people",
    "mensaje (html)",
    "messaggio (html)",
    "bericht (html)",
    "besprechungsserie",
    "terminserie",
    "besprechungsanfrage",
    "aufgabe",
    "task",
    // Conversations.
    "microsoft teams",
    "microsoft teams (work or school)",
    "teams",
    "slack",
    "whatsapp",
    "whatsapp web",
    "signal",
    "telegram",
    "telegram desktop",
    "telegram web",
    "discord",
    "skype",
    "skype for business",
    "zoom",
    "zoom workplace",
    "zoom meeting",
    "google meet",
    "meet",
    "google chat",
    "webex",
    "cisco webex",
    "element",
    "mattermost",
    "rocket.chat",
    "facetime",
    "messages",
    "nachrichten",
    "messenger",
    "facebook",
    "instagram",
    "linkedin",
    "xing",
    "x",
    "twitter",
    "threema",
    "wechat",
    "微信",
    "line",
    "kakaotalk",
    "viber",
    "teamviewer",
    "anydesk",
];

/// Words after which, or before which, a lone capitalised word is a name: of people, and
/// of the things that programs keep about people.
const ENTITIES: &str = "
patient patients patientin patienten customer customers client clients kunde kunden kundin mandant mandantin mandanten klient klientin employee employees mitarbeiter
mitarbeiterin personal applicant bewerber bewerberin candidate kandidat kandidatin member mitglied student students schüler schülerin pupil teacher lehrer lehrerin user users benutzer
benutzerin username benutzername utilisateur guest gast tenant mieter mieterin vermieter landlord insured versicherte versicherter versicherungsnehmer claimant owner eigentümer supplier suppliers vendor lieferant lieferanten debitor kreditor partner
contact contacts kontakt kontakte person personne persona name vorname nachname nom prénom nombre nome cognome familienname surname author autor autorin auteur assignee reporter
sender absender recipient empfänger empfängerin destinataire expéditeur attendee teilnehmer teilnehmerin caller anrufer profile profil perfil profilo account accounts konto compte cuenta invoice invoices rechnung rechnungen facture
factura fattura contract contracts vertrag verträge contrat contrato contratto case cases fall fälle akte akten dossier file record chart krankenakte patientenakte kundenakte personalakte offer offers angebot angebote quote devis order bestellung auftrag aufträge
commande pedido ordine cliente clientes clienti paciente paziente pazienti empleado dipendente klant klanten patiënt medewerker factuur ticket tickets claim claims schaden chat call anruf anrufe appel meeting besprechung termin appointment réunion interview
doctor arzt ärztin médecin médico nurse manager chef boss friend mother father vater mutter child kind spouse ehepartner familie family family member anamnese befund diagnose lab rezept prescription mahnung gutachten kündigung zeugnis cv resume lebenslauf bewerbung salary gehalt payslip lohnabrechnung gehaltsabrechnung
";

/// Words after which a capitalised word is a name: titles, salutations, prepositions.
const BEFORE_NAMES: &str = "
mr mrs ms miss mister sir madam dr prof professor doktor herr herrn frau fräulein familie fam monsieur madame mademoiselle mme mlle señor señora sr sra don doña signor signora sig
dhr mevr meneer mevrouw pan pani dear hello hi hey welcome hallo liebe lieber guten moin servus willkommen bonjour salut cher chère bienvenue hola querido querida bienvenido bienvenida ciao caro cara benvenuto
benvenuta beste hoi welkom with by from to for mit von an bei für avec par pour chez con por para per met door voor at @ cc bcc re an: via geb née né signed unterschrift erstellt gesendet sent via господин госпожа г-н г-жа
aufgabe task todo reminder erinnerung wiedervorlage уважаемый уважаемая пациент клиент κύριος κυρία
";

/// Parts of names that are written small.
pub(super) const PARTICLES: &[&str] = &[
    "von", "van", "de", "der", "den", "di", "da", "del", "della", "la", "le", "du", "des", "dos",
    "bin", "ibn", "al", "el", "ter", "ten", "zu", "zum", "vom", "y", "af", "av",
];

/// What interfaces are made of.
const INTERFACE: &str = "
a about above accept access account accounting accounts action actions activate active activities activity add added additional address addresses admin administration administrator advanced agenda agent agents ai alert alerts all allow alpha an analysis
analytics analyze and announcement any api app appearance application applications apply appointment appointments approval approvals approve archive archived area article articles as ask assets assign assigned assistant at attach attachment attachments attendance audio audit auto automatic automation available
back background backup balance bank banking bar basic basket batch beta bill billing bills block board body book booking bookings bookmarks box branch browse browser budget build bulk business button buy by
calculator calendar call calls campaign campaigns cancel cards card cart cases catalog catalogue categories category cell center centre certificate change changes channel channels chapter chart charts chat check checklist checkout choose city claim classes class clear client clients clipboard clock close closed cloud code collection color colour column columns comment comments common company compare complete completed components compose condition conditions configuration configure confirm confirmation connect connected connection connections console contacts content contents continue contract contracts control controls conversation conversations convert copy core cost costs count country course courses create created credit crm current custom customer customers customize cut
daily dark dashboard dashboards data database date dates day days deal deals debit debug default delete deleted delivery demo department departments deploy deposit description design desktop detail details developer development device devices dialog different digital direct directory disable discover discussion display do document documentation documents done download downloads draft drafts drive due duplicate
e-mail edit edited editing editor email emails employee employees empty enable end enter enterprise entries entry environment environments equipment error errors estimate event events example exit expense expenses explorer export extension extensions external
faq favorites favourites feature features feed feedback field fields file files fill filter filters finance financial find finish first flow folder folders font for form format forms forum forward found free friday from full function functions
gallery gamma general generate get getting global go goods graph group groups guide
half hardware health help hide high history home host hotspots hour hours how hr html
i icon id image images import in inbox incident incidents income index info information input insert insights inspection install installation installer insurance integration integrations internal internet inventory invoice invoices invoicing is issue issues it item items
job jobs journal junk just
kanban key keyboard keys knowledge
label labels landing language last latest launch launcher layout lead leads learn learning leave ledger left legal level library license light line lines link links list lists live load loading local location locations lock locked log login logistics logout logs look low
machine mail mailbox main maintenance manage management manager map maps market marketing master material materials media medical meeting meetings member members menu message messages method metrics microphone mobile mode model module monday money monitor monitoring month monthly more most move movement multiple music my
name names navigation network new news next no none normal not note notebook notes notice notification notifications number
object objects of off offer offers office offline old on once online only open operation operations opportunities opportunity option optional options or order orders organization other our out outbox output overview own
package page pages paid pane panel parameters part parts password passwords paste patient patients pay payable payables payment payments payroll pdf pending people performance period permission permissions person personal phone photo photos picture pin pipeline plan planner planning play please plugin plugins policies policy popup portal position post preferences prescriptions preview previous price prices pricing primary print printer printers priority privacy private problem problems process processes product production products profile profiles program progress project projects prompt properties property provider public publish purchase purchases purchasing
quality quantity query question questions queue quick quit quote quotes
rare rate rates read reader ready real receipt receipts receivable receivables receive recent recipients reconciliation record records recover recycle redirect refresh region register registration registry reject related release reload remote remove rename renew repair repeat replace reply report reporting reports repository request requests requisition requisitions reservation reset resource resources response rest restart restore result results resume retail return returns revenue review reviews right risk role roles room rooms root route rule rules run running
safe salary sales same sample save saved saving scan schedule scheduled schedules school scope score screen screens script search second secondary section secure security segment select selected selection send sent september server servers service services session sessions set settings setup share shared sharing sheet ship shipment shipments shipping shop shopping shortcuts show side sign sites site size skip slide slides snippet social software solution sort sound source spam special specification speed split sprint staff stage standard star start started state statement statements statistics status step steps stock stop storage store stories story structure studio style subject submit subscription subscriptions success suggestions summary supplier suppliers supply support survey switch sync system systems
tab table tables tabs tag tags target task tasks tax taxes team teams template templates term terminal terms test tests text the theme this thread threads ticket tickets time timeline timer timesheet timesheets title to today todo toggle tomorrow tool toolbar tools top topic topics total track tracker tracking training transaction transactions transfer transfers translate transport trash travel treatment treatments trial type types
unknown unlock unread unsaved untitled update updates upgrade upload uploads url usage use user users utility utilities
vacation valid value values variables vehicle vendor vendors verification verify version versions video videos view viewer views visit visits visual voice
wait waiting wallet warehouse warning warnings watch web website week weekly welcome what widget widgets wiki window windows with wizard word work workbook workflow workflows workplace workspace write
year yearly yes yesterday you your zone zoom
ab abbrechen abgelaufen abgeschlossen abgleich ablage ablehnen abmelden abrechnung abrechnungen absenden abteilung adresse adressen aktion aktionen aktiv aktivität aktivitäten aktualisieren aktuell aktuelle akte alle allgemein als alt am analyse anbieter ändern änderung änderungen anfrage anfragen angebot angebote angemeldet anhang anhänge ankündigung anlage anlagen anlegen anleitung anmelden anmeldung anpassen ansehen ansicht antrag anträge antwort antworten anwenden anwendung anwendungen anzeige anzeigen arbeit arbeitsmappe arbeitszeit archiv artikel auf aufgabe aufgaben aufnahme auftrag aufträge aus ausdruck ausführen ausgabe ausgaben ausgang ausschneiden auswahl auswählen auswertung auswertungen automatisch
bank barcode bearbeiten bearbeitung beenden befund beispiel belege beleg benachrichtigung benachrichtigungen benutzer benutzerverwaltung berechnung bereich bericht berichte beschreibung besprechungen bestand bestände bestätigen bestätigung bestellen bestellung bestellungen besuch betrag betreff bezahlen bild bilder bitte blatt board buch buchen buchhaltung buchung buchungen büro
chat checkliste cloud code darstellung das dashboard datei dateien daten datenbank datenschutz datum dauer dem den der details deutsch die dienst dienste dienstplan diese dieser dieses dokument dokumentation dokumente drucken drucker durchsuchen
ein eine einen einer einfügen eingabe eingang einkauf einkäufe einloggen einrichten einstellung einstellungen einträge eintrag empfang ende entfernen entwurf entwürfe ergebnis ergebnisse erfassen erfassung erinnerung erledigt eröffnen erstellen erweitert export exportieren
farbe favoriten fehler feld felder fenster fertig fertigung filter finanzen firma formular formulare fortsetzen frage fragen freigabe freigeben für funktion
gehen gelöscht gerät geräte gesamt geschäft gesendet gesendete gespeichert gruppe gruppen hauptmenü haupt hauptseite heute hilfe hinweis hinzufügen hochladen
im import importieren in info information informationen inhalt intern
ja jahr journal kalender kalenderwoche kampagne kartei karte karten kasse kategorie kategorien katalog kein keine klasse kommentar kommentare konfiguration konten kontakte konto kontoauszug kontrolle kopie kopieren kosten kostenstelle kreditoren kunde kunden kundenverwaltung kurs kurse
lade laden lager lagerbestand leistung leistungen lesen letzte lieferant lieferanten lieferschein lieferscheine lieferung lieferungen link liste listen lizenz login lohn löschen
mahnung mahnungen maske material medien mehr meine meldung meldungen menü mitarbeiter mitglieder mitteilung modul monat
nach nachricht nachrichten name navigation netzwerk neu neue neuer neues nicht nächste notiz notizen nummer nur
ober oberfläche oder offen offene öffnen optionen ordner ort papierkorb passwort patienten patientenverwaltung personal personalabteilung pflege plan planung platz portal position positionen posten posteingang postausgang praxis preis preise preisliste problem produkt produkte produktion profil programm projekt projekte protokoll protokolle prozess prüfen prüfung
quittung rabatt rechner rechnung rechnungen rechnungseingang rechnungsausgang regel regeln registrierung reise reisekosten reisekostenabrechnung report reservierung richtlinie rolle rollen rückgabe
sammlung schließen schritt schule seite seiten senden server service sicherheit sicherung sicht sitzung software sonstige speichern sperren spesen sprache standard standort start startseite statistik status stelle steuer steuern stammdaten stunden stundenzettel suche suchen support system
tabelle tabellen tag tage team technik teil teile telefon termin termine terminkalender terminplan test testen text titel tool über übersicht übertragung überweisung überweisungen uhr und unbekannt unbenannt ungelesen unter unterlagen unternehmen update urlaub urlaubsantrag
verbindung verbinden verkauf verkäufe verlauf version versand verträge vertrag verwaltung verwalten video von vorgang vorgänge vorlage vorlagen vorschau vorherige
wählen wareneingang warenausgang warenkorb wartung weiter weiterleiten werkzeuge wiederherstellen willkommen woche zahlung zahlungen zahlungseingang zeichnung zeit zeiten zeiterfassung ziel zoom zu zugriff zum zur zurück zurücksetzen zusammenfassung
à abonnement accepter accueil achat achats actif actualiser administrateur adresse affichage afficher aide ajouter annuler aperçu appareil appareils application applications appliquer archives article articles au aucun aujourd'hui aux avec bienvenue boîte brouillon brouillons bureau calendrier caisse catalogue catégorie catégories centre chercher choisir client clients code commande commandes commentaire commentaires compte comptes comptabilité conditions configuration confirmer connexion contenu contrat contrats copier corbeille couleur courrier création créer date dans de déconnexion des détail détails devis document documents données dossier dossiers du durée éditer édition élément éléments en enregistrer envoi envoyer envoyés erreur erreurs espace est et étape événement exporter facture factures facturation favoris fenêtre fermer fiche fichier fichiers filtre finances fonction formulaire formulaires fournisseur fournisseurs gestion graphique groupe groupes historique identifiant image images impression imprimante imprimer importer informations inscription interface inventaire jour journal la langue le les liste listes livraison livraisons logiciel ma magasin mes message messages mise modèle modèles modifier mois mon mot nom non notes notification notifications nouveau nouveaux nouvel nouvelle nouvelles numéro objet offre offres onglet options ou outil outils ouvert ouvrir page pages paiement paiements panier par paramètres partager passe personnel photo photos pièce planning plus portail pour précédent préférences prix produit produits profil programme projet projets propriétés qualité question questions rapport rapports réception recherche rechercher récents règlement réglages rendez-vous réponse répondre reçus ressources résultat résultats retour sans sécurité sélection semaine service services session signature site société sommaire sortie statistiques stock suivant suivi supprimer sur système tableau tableaux tâche tâches téléchargement téléchargements télécharger texte titre total tous tout toutes transfert travail un une utilisateur utilisateurs valider vente ventes version vidéo visite vue
abrir aceptar actividad actualizar administración agregar ajustes albarán alta añadir aplicación archivo archivos artículo artículos ayuda bandeja borrador borradores borrar buscar búsqueda calendario cambiar cancelar carpeta cerrar cliente clientes código compra compras configuración conectar contabilidad contraseña contrato contratos copiar correo crear cuenta cuentas datos descargas detalle detalles documento documentos editar el empresa en entrada entregas enviar enviados error escritorio estado factura facturas fecha filtro formulario gestión grupo guardar historial hoja imprimir informe informes inicio insertar lista los las mensaje mensajes menú mi mis nombre nueva nuevo oferta opciones página pago pagos panel pedido pedidos perfil plantilla presupuesto producto productos proveedor proveedores proyecto proyectos recibidos registro resumen salir seguridad seleccionar servicio sesión siguiente sin sistema soporte tabla tarea tareas todos usuario usuarios venta ventas ventana ver y
acquisti aggiungi aiuto anagrafica anteprima apri archivio articoli attività avvio azienda bozze cancella cartella cerca chiudi cliente clienti codice conferma conti conto contratti crea dati dettagli documenti elenco elimina esci fattura fatture fatturazione file fornitori gestione impostazioni indirizzo inserisci invia inviati lista magazzino messaggi modifica nuova nuovo ordine ordini pagamenti pagina pannello posta preventivo prodotti progetto progetti rapporto ricerca ricevuta salva scheda senza sicurezza stampa strumenti tabella tutti utente utenti vendite
aanmaken aanmelden afbeelding afdrukken agenda annuleren artikelen bekijken beheer bestand bestanden bestelling bestellingen bewerken bewaren betaling betalingen contacten dashboard details doorsturen facturen factuur gebruiker gebruikers gegevens geschiedenis help hulp importeren instellingen inloggen klanten kopiëren levering lijst map mappen melding meldingen mijn nieuw nieuwe offerte openen opslaan overzicht pagina postvak printen producten rapport rapporten relaties sluiten taak taken tekst toevoegen verwijderen verkoop verzenden voorraad wachtwoord weergave wijzigen zoeken zonder
acme adobe amazon android api apple asana atlassian aws azure bitbucket bootstrap chrome citrix confluence contoso datev dhl docker dropbox dynamics ebay erp facebook fiori firefox fritz github gitlab gmail gnome google grafana hana hr hubspot ibm instagram intranet iphone jenkins jira kde kubernetes libreoffice linkedin linux lotus magento mac microsoft mozilla mysql navision netsuite netweaver nextcloud notion odoo office oracle outlook paypal pos postgresql python quickbooks red sage salesforce sap sapgui servicenow sharepoint shopify shopware siemens simatic skype slack snow sql stripe successfactors teams tableau trello ubuntu vmware vscode whatsapp windows woocommerce wordpress workday xero youtube zendesk zoho bi ui ux gui kpi pdf csv xml json html url faq id ok
nr no num vom tel abs ca bzw inkl zzgl std st art pos abt z str gmbh ag kg co inc ltd llc mbh
список заказов заказ заказы настройки поиск главная документ документы файл отчет отчёт отчеты клиенты пациенты новый новая новое счет счета сообщения входящие отправленные календарь помощь склад товары создать редактировать открыть сохранить печать панель управления личный кабинет
";

/// What follows a company's name, which may be a person's.
const COMPANIES: &[&str] = &[
    "gmbh", "ag", "kg", "ohg", "gbr", "ug", "mbh", "inc", "ltd", "llc", "llp", "corp", "plc",
    "sarl", "sas", "sa", "bv", "nv", "spa", "srl", "oy", "ab", "aps", "as", "ek", "ev",
];

/// Ends of German compounds that name a thing kept about people.
const ENTITY_ENDINGS: &[&str] = &[
    "akte",
    "rechnung",
    "antrag",
    "vertrag",
    "kunde",
    "kundin",
    "patient",
    "patientin",
    "mitarbeiter",
    "mitarbeiterin",
    "gutachten",
    "zeugnis",
    "befund",
    "konto",
    "auftrag",
    "angebot",
    "termin",
    "besprechung",
    "bescheid",
    "attest",
    "rezept",
    "gespräch",
];

/// Months, with the short forms in use.
const MONTHS: &str = "
january february march april may june july august september october november december jan feb mar apr jun jul aug sep sept oct nov dec
januar jänner februar märz mai juni juli oktober dezember mär okt dez
janvier février mars avril juin juillet août septembre octobre novembre décembre janv févr avr juil déc
enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre
gennaio febbraio aprile maggio giugno luglio settembre ottobre dicembre
januari februari maart mei augustus
января февраля марта апреля мая июня июля августа сентября октября ноября декабря
stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października listopada grudnia
";

const WEEKDAYS: &str = "
monday tuesday wednesday thursday friday saturday sunday mon tue wed thu fri sat sun
montag dienstag mittwoch donnerstag freitag samstag sonnabend sonntag
lundi mardi mercredi jeudi vendredi samedi dimanche
lunes martes miércoles jueves viernes sábado domingo lunedì martedì mercoledì giovedì venerdì sabato domenica
maandag dinsdag woensdag donderdag vrijdag zaterdag zondag
";

/// Ends of words that names hardly have, for the compounds that no table holds.
const ENDINGS: &[&str] = &[
    "ung",
    "ungen",
    "heit",
    "keit",
    "schaft",
    "tion",
    "tionen",
    "tions",
    "übersicht",
    "verwaltung",
    "liste",
    "listen",
    "formular",
    "bericht",
    "daten",
    "einstellungen",
    "ansicht",
    "suche",
    "planung",
    "nummer",
    "aufträge",
    "auftrag",
    "system",
    "konto",
    "kasse",
    "eingang",
    "ausgang",
    "kosten",
    "steuerung",
    "verzeichnis",
    "management",
    "ments",
    "ables",
    "isierung",
];

fn set(words: &'static str) -> BTreeSet<&'static str> {
    words.split_whitespace().collect()
}

static ENTITY_SET: LazyLock<BTreeSet<&str>> = LazyLock::new(|| set(ENTITIES));
static BEFORE_SET: LazyLock<BTreeSet<&str>> = LazyLock::new(|| set(BEFORE_NAMES));
static MONTH_SET: LazyLock<BTreeSet<&str>> = LazyLock::new(|| set(MONTHS));
static KNOWN_SET: LazyLock<BTreeSet<&str>> = LazyLock::new(|| {
    [ENTITIES, BEFORE_NAMES, INTERFACE, MONTHS, WEEKDAYS]
        .iter()
        .flat_map(|words| words.split_whitespace())
        .collect()
});

/// Whether a word, in lower case, is one that interfaces are made of.
pub(super) fn is_known(word: &str) -> bool {
    KNOWN_SET.contains(word)
        || PARTICLES.contains(&word)
        || word.chars().count() == 1
        || (word.chars().count() >= 9 && ENDINGS.iter().any(|end| word.ends_with(end)))
}

/// Whether a person, or a thing kept about one, is named next to this word.
pub(super) fn is_entity(word: &str) -> bool {
    ENTITY_SET.contains(word)
        || (word.chars().count() >= 9 && ENTITY_ENDINGS.iter().any(|end| word.ends_with(end)))
}

/// Whether a name stands before this word.
pub(super) fn is_after_name(word: &str) -> bool {
    is_entity(word) || COMPANIES.contains(&word)
}

/// Whether a name may follow this word.
pub(super) fn is_before_name(word: &str) -> bool {
    is_entity(word) || BEFORE_SET.contains(word)
}

/// First names that are also words of interfaces or of the calendar.
const AMBIGUOUS: &[&str] = &[
    "bill",
    "sage",
    "mark",
    "will",
    "art",
    "grant",
    "max",
    "faith",
    "hope",
    "joy",
    "grace",
    "angel",
    "guy",
    "dean",
    "rich",
    "drew",
    "chase",
    "pat",
    "miles",
    "chip",
    "rob",
    "nick",
    "rose",
    "ruby",
    "pearl",
    "dawn",
    "christian",
    "frank",
    "jack",
    "sue",
    "jade",
    "amber",
    "summer",
    "autumn",
    "rob",
    "ray",
    "gene",
    "carol",
    "penny",
    "mercedes",
    "lance",
    "victor",
    "king",
];

/// Whether it is a first name that is also an ordinary word.
pub(super) fn is_ambiguous(word: &str) -> bool {
    AMBIGUOUS.contains(&word)
}

/// All months.
pub(super) fn months() -> impl Iterator<Item = &'static str> {
    MONTHS.split_whitespace()
}

/// All days of the week.
pub(super) fn weekdays() -> impl Iterator<Item = &'static str> {
    WEEKDAYS.split_whitespace()
}

/// Whether it is a month.
pub(super) fn is_month(word: &str) -> bool {
    MONTH_SET.contains(word)
}
