"""Makes the databases that the scan is measured on, and says what is in each column.

    python corpus.py DIRECTORY [ROWS [NAME]]

writes `DIRECTORY/*.sqlite` and `DIRECTORY/labels.json`, or with NAME only that database. Everybody in them is invented by Faker. The
same eighteen tables are made four times, each time under other column names: telling ones, ones in
another language, abbreviated ones, and ones that say nothing. Six databases a naming, three tables
a database, each database in another locale, half of the columns with nothing to protect.

The labels say what somebody responsible for privacy would say: a city and a postcode are personal,
a country is not; a date of birth is, other dates are not. A column that a text is in is labelled by
what the text holds. Columns of kinds beside the list that the comparison is about (gender, salary,
user name, secret, …) are labelled too, and marked `extra`; where reasonable people differ, the mark
is `open` and no score counts the column.
"""

import json
import random
import sqlite3
import sys
import uuid
from datetime import date, datetime, timedelta
from pathlib import Path

from faker import Faker

CORE = "core"
EXTRA = "extra"
OPEN = "open"

# One naming a group of six: locale and the language of the names.
NAMINGS = {
    "telling": [("en_US", "en"), ("en_GB", "camel"), ("sv_SE", "pascal"), ("ja_JP", "en"), ("hi_IN", "camel"), ("el_GR", "en")],
    "foreign": [("de_DE", "de"), ("fr_FR", "fr"), ("es_ES", "es"), ("it_IT", "it"), ("pt_BR", "pt"), ("nl_NL", "nl")],
    "short": [("en_US", "abbr"), ("en_AU", "abbr"), ("pl_PL", "abbr"), ("tr_TR", "abbr"), ("en_CA", "abbr"), ("da_DK", "abbr")],
    "opaque": [("en_US", "opaque"), ("ru_RU", "opaque"), ("zh_CN", "opaque"), ("ko_KR", "opaque"), ("de_DE", "opaque"), ("ar_AA", "opaque")],
}

# What a column is called: English, German, French, Spanish, Italian, Portuguese, Dutch, shortened.
LANGUAGES = ["en", "de", "fr", "es", "it", "pt", "nl", "abbr"]
WORDS = {
    "first_name": "first_name vorname prenom nombre nome nome voornaam fname",
    "last_name": "last_name nachname nom_famille apellidos cognome sobrenome achternaam lname",
    "full_name": "full_name name_vollstaendig nom_complet nombre_completo nome_cognome nome_completo volledige_naam nm",
    "email": "email mailadresse courriel correo posta_elettronica correio_eletronico mailadres eml",
    "phone": "phone telefon telephone telefono recapito telefone telefoonnummer tel_no",
    "mobile": "mobile handy portable movil cellulare celular mobiel mob",
    "company": "company firma societe empresa azienda razao_social bedrijf co_nm",
    "street": "street_address strasse rue domicilio indirizzo logradouro straat addr1",
    "city": "city ort ville ciudad comune cidade plaats cty",
    "postcode": "postal_code plz code_postal codigo_postal cap cep postcode zip",
    "address": "home_address anschrift adresse direccion indirizzo_residenza endereco adres adr_full",
    "country": "country land pays pais paese pais land ctry",
    "birth_date": "birth_date geburtsdatum date_naissance fecha_nacimiento data_nascita data_nascimento geboortedatum dob",
    "birth_place": "birth_place geburtsort lieu_naissance lugar_nacimiento luogo_nascita local_nascimento geboorteplaats bplc",
    "national_id": "national_id versicherungsnummer numero_secu dni codice_fiscale cpf bsn nat_id",
    "iban": "iban bankverbindung iban_compte cuenta_iban coordinate_bancarie conta_iban rekening ibn",
    "card": "card_number kartennummer numero_carte numero_tarjeta numero_carta numero_cartao kaartnummer cc_no",
    "card_expiry": "card_expires karte_gueltig_bis expiration_carte caducidad_tarjeta scadenza_carta validade_cartao kaart_vervalt cc_exp",
    "passport": "passport_number reisepassnr numero_passeport pasaporte passaporto passaporte paspoortnummer pp_no",
    "ip": "ip_address ip_adresse adresse_ip direccion_ip indirizzo_ip endereco_ip ip_adres ip",
    "mac": "mac_address mac_adresse adresse_mac direccion_mac indirizzo_mac endereco_mac mac_adres hw_addr",
    "username": "username benutzername identifiant usuario utente usuario gebruikersnaam usr",
    "password": "password_hash passwort_hash mot_de_passe_hash clave_hash hash_password senha_hash wachtwoord_hash pwd",
    "api_key": "api_key api_schluessel cle_api clave_api chiave_api chave_api api_sleutel apik",
    "gender": "gender geschlecht sexe sexo sesso sexo geslacht gndr",
    "salary": "salary gehalt salaire salario stipendio salario salaris sal",
    "imei": "imei geraetenummer imei_appareil imei_equipo imei_apparato imei_aparelho toestel_imei imei",
    "plate": "license_plate kennzeichen immatriculation matricula targa placa kenteken plt",
    "diagnosis": "diagnosis_code diagnose diagnostic diagnostico diagnosi diagnostico diagnose dx",
    "blood": "blood_group blutgruppe groupe_sanguin grupo_sanguineo gruppo_sanguigno tipo_sanguineo bloedgroep bld",
    "doctor": "doctor_name behandelnder_arzt medecin medico medico_curante medico_responsavel arts dr_nm",
    "holder": "account_holder kontoinhaber titulaire titular intestatario titular rekeninghouder acct_hldr",
    "merchant": "merchant haendler commercant comercio esercente estabelecimento winkelier mrch",
    "notes": "notes bemerkungen remarques observaciones annotazioni observacoes opmerkingen cmts",
    "subject": "subject betreff objet asunto oggetto assunto onderwerp subj",
    "body": "body nachricht message mensaje messaggio mensagem bericht msg",
    "reference": "payment_reference verwendungszweck motif_virement concepto causale descricao_pagamento omschrijving pmt_ref",
    "gift_note": "gift_note grusstext mot_cadeau tarjeta_regalo biglietto_regalo bilhete kaartje gft_txt",
    "profile": "profile_json profil_json profil_doc perfil_json profilo_json perfil_doc profiel_json prf",
    "settings": "settings_json einstellungen parametres ajustes impostazioni configuracoes instellingen cfg",
    "payload": "payload nutzdaten charge_utile carga contenuto_evento carga_evento lading pld",
    "actor": "actor ausgefuehrt_von acteur autor eseguito_da executado_por uitgevoerd_door act_by",
    "id": "id nr numero numero numero codigo nummer id",
    "order_no": "order_number bestellnummer numero_commande numero_pedido numero_ordine numero_pedido bestelnummer ord_no",
    "created": "created_at angelegt_am cree_le creado_el creato_il criado_em aangemaakt_op crt_ts",
    "updated": "updated_at geaendert_am modifie_le modificado_el modificato_il alterado_em gewijzigd_op upd_ts",
    "day": "hire_date eintrittsdatum date_embauche fecha_alta data_assunzione data_admissao datum_in_dienst hire_dt",
    "status": "status zustand statut estado stato situacao toestand sts",
    "price": "price preis prix precio prezzo preco prijs prc",
    "amount": "amount betrag montant importe importo valor bedrag amt",
    "currency": "currency waehrung devise divisa valuta moeda valuta ccy",
    "sku": "sku artikelnummer reference_article codigo_articulo codice_articolo codigo_produto artikelcode sku",
    "ean": "ean strichcode code_barres codigo_barras codice_barre codigo_barras streepjescode ean",
    "title": "title bezeichnung libelle titulo titolo titulo titel ttl",
    "description": "description beschreibung descriptif descripcion descrizione descricao beschrijving descr",
    "category": "category kategorie categorie categoria categoria categoria categorie cat",
    "colour": "colour farbe couleur color colore cor kleur clr",
    "weight": "weight_kg gewicht_kg poids_kg peso_kg peso_kg peso_kg gewicht_kg wgt",
    "stock": "stock bestand stock existencias giacenza estoque voorraad stk",
    "url": "image_url bild_url url_image url_imagen url_immagine url_imagem afbeelding_url img",
    "version": "version fassung version version versione versao versie ver",
    "department": "department abteilung service departamento reparto departamento afdeling dept",
    "job": "job_title stelle poste puesto mansione cargo functie jb_ttl",
    "branch": "branch_code filialcode code_agence codigo_sucursal codice_filiale codigo_agencia kantoorcode brn_cd",
    "risk": "risk_class risikoklasse classe_risque clase_riesgo classe_rischio classe_risco risicoklasse rsk",
    "uuid": "transaction_id vorgangskennung id_transaction id_transaccion id_transazione id_transacao transactie_id txid",
    "mcc": "mcc branchenschluessel code_activite codigo_actividad codice_attivita codigo_atividade branchecode mcc",
    "auth": "auth_code freigabecode code_autorisation codigo_autorizacion codice_autorizzazione codigo_autorizacao autorisatiecode auth",
    "tracking": "tracking_number sendungsnummer numero_suivi numero_seguimiento numero_spedizione codigo_rastreio volgnummer trk_no",
    "coupon": "coupon_code gutschein code_promo cupon codice_sconto cupom kortingscode cpn",
    "duration": "duration_s dauer_s duree_s duracion_s durata_s duracao_s duur_s dur",
    "cell": "cell_id funkzelle id_cellule id_celda id_cella id_celula cel_id cll",
    "bytes": "bytes datenmenge octets octetos byte_trasferiti bytes_transferidos bytes byt",
    "tariff": "tariff tarif forfait tarifa tariffa plano tarief trf",
    "locale": "locale sprache langue idioma lingua idioma taal loc",
    "zone": "time_zone zeitzone fuseau zona_horaria fuso_orario fuso tijdzone tz",
    "agent": "user_agent browserkennung agent_navigateur agente_navegador agente_browser agente_navegador browser_agent ua",
    "flag": "mfa_enabled zweitfaktor double_facteur doble_factor doppio_fattore dois_fatores tweestaps mfa",
    "plan": "plan vertrag formule plan piano plano abonnement pln",
    "action": "action aktion action accion azione acao actie act",
    "object": "object_ref objekt objet_ref objeto oggetto_rif objeto_ref object_ref obj",
    "log": "detail protokollzeile detail_journal detalle_registro dettaglio_log detalhe_log logregel dtl",
    "level": "log_level stufe niveau nivel livello nivel niveau lvl",
    "trace": "trace_id ablaufkennung id_trace id_traza id_traccia id_rastro trace_id trc",
    "hash": "checksum pruefsumme somme_controle suma_verificacion somma_controllo soma_verificacao controlesom chk",
    "rating": "rating bewertung note_moyenne valoracion valutazione avaliacao beoordeling rtg",
    "year": "release_year erscheinungsjahr annee_sortie ano_estreno anno_uscita ano_lancamento jaar_uitgave yr",
    "genre": "genre gattung genre genero genere genero genre gnr",
    "sensor": "sensor_id sensorkennung id_capteur id_sensor id_sensore id_sensor sensor_id snsr",
    "value": "reading messwert mesure lectura misura leitura meting rdg",
    "unit": "unit einheit unite unidad unita unidade eenheid unt",
    "container": "container_no behaelternr numero_conteneur numero_contenedor numero_container numero_conteiner containernr cntr",
    "isbn": "isbn isbn_nummer isbn_livre isbn_libro isbn_volume isbn_obra isbn_boek isbn",
    "lot": "lot_number chargennummer numero_lot numero_lote numero_lotto numero_lote partijnummer lot",
    "warehouse": "warehouse lager entrepot almacen magazzino armazem magazijn whs",
    "expiry": "expiry_date haltbar_bis date_peremption fecha_caducidad data_scadenza data_validade houdbaar_tot exp_dt",
    "member_no": "student_number matrikelnummer numero_etudiant numero_alumno numero_matricola numero_matricula studentnummer stu_no",
    "semester": "semester semester semestre semestre semestre semestre semester sem",
    "grade": "grade_average notenschnitt moyenne nota_media media_voti media_notas gemiddeld_cijfer gpa",
    "room": "room_number zimmernummer numero_chambre numero_habitacion numero_camera numero_quarto kamernummer rm",
    "arrival": "arrival anreise arrivee llegada arrivo chegada aankomst arr",
    "departure": "departure abreise depart salida partenza partida vertrek dep",
    "session": "session_id sitzung id_session id_sesion id_sessione id_sessao sessie_id sess",
    "code": "status_code antwortcode code_reponse codigo_respuesta codice_risposta codigo_resposta antwoordcode cd",
}

STATUSES = ["new", "open", "paid", "shipped", "returned", "closed"]
COLOURS = ["black", "white", "navy", "olive", "amber", "scarlet"]
CATEGORIES = ["Garden", "Kitchen", "Sports & Outdoors", "Books", "Lighting", "Pet supplies"]
GENRES = ["Drama", "Comedy", "Horror", "Documentary", "Animation", "Noir"]
DEPARTMENTS = ["Sales", "Finance", "Research & Development", "Legal", "Operations", "Human Resources"]
ARTICLES = ["Florence sofa", "Billy bookcase", "Paris lamp", "Oxford shirt", "Victoria sponge tin", "Berlin backpack",
            "Chelsea boots", "Jack plane", "Bermuda shorts", "Panama hat", "Dijon mustard", "Madison table",
            "Steel bolt M8x40", "USB-C cable 2 m", "LED panel 60x60", "Oak shelf", "Garden hose 25 m", "Drill bit set"]
FILMS = ["Midnight in {c}", "The {a} {n}", "{a} {n} Rising", "Annie Hall", "Michael Clayton", "Return of the {n}", "{n} and {n2}",
         "Escape from {c}", "Charlie's {n}", "The Last {n}", "{a} Hearts", "A {n} for {n2}", "Erin Brockovich", "{c} Confidential"]
ADJECTIVES = ["Silent", "Crimson", "Broken", "Golden", "Hidden", "Electric", "Lonely", "Savage"]
NOUNS = ["Harbor", "Wolf", "Empire", "Garden", "Machine", "Widow", "Horizon", "Dinosaur", "Voyage", "Secret"]
PLACES = ["Paris", "Chicago", "Havana", "Berlin", "Alaska", "Casablanca"]
LOG_LINES = ["cache miss for key products:{}", "GET /api/v2/items/{} 200 in 34ms", "retrying job {} (attempt 2 of 5)",
             "connection pool exhausted after {} ms", "Loaded plugin com.example.export@{}", "disk usage at {}%, threshold 90%",
             "worker-7 finished batch {} at 12:44:01.113", "schema migrated from 41 to {}"]
PRODUCT_TEXTS = ["Made of solid oak, oiled by hand. {} cm wide.", "Waterproof up to {} m; two year warranty.",
                 "Runs {} hours on one charge. Includes cable and manual.", "Set of {} pieces, dishwasher safe.",
                 "Fits most frames with a diameter of {} mm.", "Dermatologically tested, {} ml, without perfume."]
SUBJECTS = ["Cannot log in since the update", "Invoice shows the wrong tax rate", "Export fails with error 500",
            "Feature request: dark mode", "Delivery arrived damaged", "How do I change the plan?", "App crashes on start"]
AGENTS = ["Mozilla/5.0 (X11; Linux x86_64; rv:124.0) Gecko/20100101 Firefox/124.0",
          "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/123.0.0.0 Safari/537.36", "curl/8.5.0"]


class Maker:
    """Draws values of every sort in one locale; `self.row` is what belongs to the person at hand."""

    def __init__(self, locale, seed):
        self.random = random.Random(seed)
        self.asian = locale in ("ja_JP", "zh_CN", "ko_KR")
        self.fake = Faker(locale)
        self.fake.seed_instance(seed)
        self.western = Faker("en_US")
        self.western.seed_instance(seed)
        self.british = Faker("en_GB")
        self.british.seed_instance(seed)
        self.next_person()

    def next_person(self):
        fake = self.fake
        self.first, self.last = fake.first_name(), fake.last_name()
        self.count = getattr(self, "count", 0) + 1

    def either(self, name):
        """A value of the locale's own provider, or of the general one where the locale has none."""
        try:
            return getattr(self.fake, name)()
        except AttributeError:
            return getattr(self.western, name)()

    def digits(self, count):
        return "".join(self.random.choice("0123456789") for _ in range(count))

    def moment(self, first=2015, last=2025):
        start = datetime(first, 1, 1)
        return start + timedelta(seconds=self.random.randrange((last - first) * 365 * 86400))

    # What belongs to a person.
    def first_name(self): return self.first
    def last_name(self): return self.last
    def full_name(self): return f"{self.last}{self.first}" if self.asian else f"{self.first} {self.last}"
    def list_name(self): return self.full_name() if self.asian else f"{self.last.upper()}, {self.first}"
    def email(self): return self.fake.email()
    def phone(self): return self.fake.phone_number()
    def mobile(self): return self.fake.phone_number()
    def company(self): return self.fake.company()
    def street(self): return self.either("street_address").replace("\n", ", ")
    def city(self): return self.fake.city()
    def postcode(self): return self.either("postcode")
    def address(self): return self.fake.address().replace("\n", ", ")
    def birth_date(self): return self.fake.date_of_birth(minimum_age=17, maximum_age=88).isoformat()
    def birth_place(self): return self.fake.city()
    def national_id(self): return self.either("ssn")
    def iban(self):
        number = self.fake.iban()
        # Where a locale has no banks, Faker makes British numbers that are a digit short.
        return number if not number.startswith("GB") or len(number) == 22 else self.british.iban()
    def card(self): return self.fake.credit_card_number()
    def card_expiry(self): return self.fake.credit_card_expire()
    def passport(self): return self.random.choice("CEKPX") + self.random.choice("ABCDEFGH") + self.digits(7)
    def ip(self): return self.fake.ipv6() if self.random.random() < .15 else self.fake.ipv4()
    def mac(self): return self.fake.mac_address()
    def username(self): return self.fake.user_name()
    def password(self): return "$2b$12$" + "".join(self.random.choice("abcdefghijkLMNOPQRST0123456789./") for _ in range(53))
    def api_key(self): return "sk_live_" + "".join(self.random.choice("abcdefghjkmnpqrstuvwxyz23456789") for _ in range(32))
    def gender(self): return self.random.choice("MF")
    def salary(self): return self.random.randrange(24000, 140000, 100)
    def imei(self): return "35" + self.digits(13)
    def plate(self): return self.either("license_plate")
    def diagnosis(self): return self.random.choice("EFIJKMN") + self.digits(2) + "." + self.digits(1)
    def blood(self): return self.random.choice(["A+", "A-", "B+", "B-", "AB+", "0+", "0-"])
    def doctor(self): return "Dr. " + self.fake.name() if self.random.random() < .5 else self.fake.name()
    def holder(self): return self.full_name()
    def merchant(self): return self.fake.company()

    # Texts that such values are in.
    def notes(self):
        kind = self.random.randrange(5)
        if kind == 0: return f"Called {self.full_name()} on {self.phone()}, wants an offer by Friday."
        if kind == 1: return f"New address: {self.address()}. Please update before the next delivery."
        if kind == 2: return f"Prefers mail to {self.email()} over the phone."
        if kind == 3: return "Asked about the spring catalogue; no decision yet."
        return "VIP, 10% discount agreed"
    def body(self):
        close = f"\n\nRegards,\n{self.full_name()}\n{self.phone()}" if self.random.random() < .6 else ""
        mail = f" My account is {self.email()}." if self.random.random() < .5 else ""
        return self.random.choice(["Hello, the export has been failing since yesterday.", "Hi team, I was charged twice this month.",
                                   "Good morning, the parcel has not arrived."]) + mail + close
    def reference(self):
        return self.random.choice([f"Rent {self.moment():%m/%Y} {self.full_name()}", f"Invoice {self.digits(6)}",
                                   f"Thanks {self.first}!", f"Salary {self.full_name()}", f"Transfer to {self.iban()}"])
    def gift_note(self): return self.random.choice([f"Happy birthday {self.first}! Love, {self.fake.first_name()}", "Enjoy!", f"For {self.full_name()}, with thanks", f"See you soon, call me: {self.phone()}"])
    def profile(self):
        return json.dumps({"name": self.full_name(), "contact": {"email": self.email(), "phones": [self.phone()]},
                           "addresses": [{"street": self.street(), "city": self.city(), "zip": self.postcode()}],
                           "newsletter": self.random.random() < .5}, ensure_ascii=False)
    def payload(self):
        return json.dumps({"event": self.action(), "user": {"mail": self.email(), "ip": self.ip()}, "ms": self.random.randrange(900)})
    def actor(self): return self.email() if self.random.random() < .8 else "system"

    # What belongs to nobody.
    def id(self): return self.count
    def order_no(self): return f"ORD-{self.random.randrange(2018, 2026)}-{self.digits(6)}"
    def created(self): return self.moment().isoformat(sep=" ")
    def updated(self): return self.moment().isoformat() + "Z"
    def day(self): return self.moment(2001).date().isoformat()
    def status(self): return self.random.choice(STATUSES)
    def price(self): return round(self.random.lognormvariate(3, 1), 2)
    def amount(self): return round(self.random.uniform(-900, 4000), 2)
    def currency(self): return self.random.choice(["EUR", "USD", "GBP", "JPY", "SEK"])
    def country(self): return self.fake.country()
    def sku(self): return f"{self.random.choice('ABCDXYZ')}{self.digits(3)}-{self.digits(4)}-{self.random.choice(['S', 'M', 'L'])}"
    def ean(self): return self.western.ean13()
    def title(self): return self.random.choice(ARTICLES)
    def film(self):
        pick = self.random.choice
        return pick(FILMS).format(a=pick(ADJECTIVES), n=pick(NOUNS), n2=pick(NOUNS), c=pick(PLACES))
    def description(self): return self.random.choice(PRODUCT_TEXTS).format(self.random.randrange(2, 90))
    def plot(self): return f"A {self.random.choice(ADJECTIVES).lower()} tale of a {self.random.choice(NOUNS).lower()} who must outwit a robot in the first space station"
    def category(self): return self.random.choice(CATEGORIES)
    def colour(self): return self.random.choice(COLOURS)
    def weight(self): return round(self.random.uniform(.1, 40), 3)
    def stock(self): return self.random.randrange(0, 900)
    def url(self): return f"https://cdn.example.com/img/{self.digits(5)}/{self.random.choice(NOUNS).lower()}.jpg"
    def version(self): return f"{self.random.randrange(9)}.{self.random.randrange(20)}.{self.random.randrange(100)}"
    def department(self): return self.random.choice(DEPARTMENTS)
    def job(self): return self.western.job()
    def branch(self): return self.digits(4)
    def risk(self): return self.random.choice("ABCD")
    def uuid(self): return str(uuid.UUID(int=self.random.getrandbits(128), version=4))
    def mcc(self): return self.random.choice(["5411", "5812", "5999", "4111", "7011"])
    def auth(self): return self.digits(6)
    def tracking(self): return self.random.choice(["00", "JJD", "1Z"]) + self.digits(16)
    def coupon(self): return self.random.choice(["SPRING24", "WELCOME10", "FREESHIP", "BLACKFRI"])
    def duration(self): return self.random.randrange(1, 4000)
    def cell(self): return f"{self.random.randrange(200, 750)}-{self.digits(2)}-{self.digits(5)}"
    def bytes(self): return self.random.randrange(10**9)
    def tariff(self): return self.random.choice(["Basic 5 GB", "Flat L", "Prepaid", "Business XL"])
    def locale(self): return self.random.choice(["en-US", "de-DE", "fr-FR", "pt-BR", "ja-JP"])
    def zone(self): return self.random.choice(["Europe/Berlin", "America/New_York", "Asia/Tokyo", "UTC"])
    def agent(self): return self.random.choice(AGENTS)
    def flag(self): return self.random.randrange(2)
    def plan(self): return self.random.choice(["free", "team", "enterprise"])
    def action(self): return self.random.choice(["login", "page_view", "export", "delete", "role.change"])
    def object(self): return f"/projects/{self.digits(4)}/items/{self.digits(3)}"
    def log(self): return self.random.choice(LOG_LINES).format(self.random.randrange(100, 9999))
    def level(self): return self.random.choice(["INFO", "WARN", "ERROR", "DEBUG"])
    def trace(self): return "%032x" % self.random.getrandbits(128)
    def hash(self): return "%064x" % self.random.getrandbits(256)
    def rating(self): return round(self.random.uniform(1, 5), 1)
    def year(self): return self.random.randrange(1935, 2025)
    def genre(self): return self.random.choice(GENRES)
    def sensor(self): return f"TMP-{self.digits(4)}"
    def value(self): return round(self.random.gauss(21, 6), 2)
    def unit(self): return self.random.choice(["°C", "hPa", "%", "lx"])
    def container(self): return self.random.choice(["MSKU", "TGHU", "CMAU"]) + self.digits(7)
    def isbn(self): return self.western.isbn13()
    def lot(self): return f"L{self.digits(8)}"
    def warehouse(self): return self.random.choice(["WH-NORTH", "WH-SOUTH", "WH-2"])
    def expiry(self): return self.moment(2024, 2029).strftime("%d.%m.%Y")
    def member_no(self): return 100000 + self.random.randrange(900000)
    def semester(self): return self.random.randrange(1, 13)
    def grade(self): return round(self.random.uniform(1, 4), 2)
    def room(self): return self.random.randrange(100, 800)
    def arrival(self): return self.moment(2022).date().isoformat()
    def departure(self): return self.moment(2022).date().isoformat()
    def session(self): return self.uuid()
    def code(self): return self.random.choice([200, 201, 304, 404, 500])
    def settings(self): return json.dumps({"theme": self.random.choice(["dark", "light"]), "page": self.random.choice([20, 50]), "cols": ["id", "status"]})
    def subject(self): return self.random.choice(SUBJECTS)
    def epoch(self): return int(self.moment().timestamp())


# What a column is labelled with: marks and the kinds that count as right. Not listed: nothing.
NAMES = ["person_name", "first_name", "last_name"]
LABELS = {
    "first_name": (CORE, NAMES), "last_name": (CORE, NAMES), "full_name": (CORE, NAMES), "list_name": (CORE, NAMES),
    "doctor": (CORE, NAMES), "holder": (CORE, NAMES), "email": (CORE, ["email"]), "actor": (CORE, ["email", "free_text"]),
    "phone": (CORE, ["phone"]), "mobile": (CORE, ["phone"]), "company": (CORE, ["company"]), "merchant": (CORE, ["company"]),
    "street": (CORE, ["postal_address"]), "address": (CORE, ["postal_address"]), "city": (CORE, ["city"]),
    "birth_place": (CORE, ["city"]), "postcode": (CORE, ["postcode"]), "birth_date": (CORE, ["date_of_birth"]),
    "national_id": (CORE, ["national_id"]), "iban": (CORE, ["iban"]), "card": (CORE, ["card"]), "passport": (CORE, ["passport"]),
    "ip": (CORE, ["ip"]), "mac": (CORE, ["mac"]),
    "notes": (CORE, ["free_text", "email", "phone", "postal_address", *NAMES]), "body": (CORE, ["free_text", "email", "phone", *NAMES]),
    "reference": (CORE, ["free_text", "iban", *NAMES]), "gift_note": (CORE, ["free_text", "phone", *NAMES]),
    "profile": (CORE, ["free_text", "email", "phone", "postal_address", "city", "postcode", *NAMES]), "payload": (CORE, ["free_text", "email", "ip"]),
    "card_expiry": (EXTRA, ["card_detail"]), "username": (EXTRA, ["username"]), "password": (EXTRA, ["secret"]), "api_key": (EXTRA, ["secret"]),
    "gender": (EXTRA, ["gender"]), "salary": (EXTRA, ["income"]), "imei": (EXTRA, ["device_id"]), "plate": (EXTRA, ["vehicle"]),
    "diagnosis": (EXTRA, ["health"]), "blood": (EXTRA, ["health"]),
    "member_no": (OPEN, []), "session": (OPEN, []), "job": (OPEN, []), "grade": (OPEN, []),
}

# Kinds that some people write in capitals.
SHOUTED = {*NAMES, "email", "postal_address", "city", "company", "postcode", "vehicle"}

# The tables: `concept` or `concept=maker` where the values come from another maker.
TABLES = {
    "customers": "id first_name last_name email phone company street city postcode country created status notes",
    "employees": "id full_name=list_name birth_date national_id day salary iban department job email address gender",
    "accounts": "id holder iban card card_expiry amount currency created branch risk",
    "payments": "uuid iban amount currency created reference merchant mcc auth ip",
    "patients": "id full_name birth_date national_id phone diagnosis blood doctor arrival room status",
    "orders": "order_no email full_name street city postcode country price currency coupon created tracking gift_note",
    "products": "sku ean title description price weight colour category stock url version updated",
    "calls": "uuid phone mobile imei created duration cell bytes tariff code",
    "users": "uuid username email password ip created=epoch locale zone flag plan api_key agent",
    "audit": "id updated actor action object ip log level trace duration",
    "tickets": "id subject body email category status created updated rating version",
    "profiles": "id profile settings updated version hash",
    "events": "created action session payload url agent code bytes",
    "films": "id title=film year rating duration genre description=plot price day=arrival locale",
    "sensors": "sensor mac value unit version status created=epoch level",
    "stockroom": "container isbn lot warehouse stock expiry hash code trace weight",
    "students": "member_no last_name first_name birth_date birth_place email mobile semester grade created",
    "guests": "full_name passport country arrival departure room plate mobile email price",
}


def named(concept, language, place):
    """What the column of a concept is called, in a language or a style."""
    if language == "opaque":
        return f"c{place}"
    if language in ("camel", "pascal"):
        parts = WORDS[concept].split()[0].split("_")
        joined = "".join(part.capitalize() for part in parts)
        return joined if language == "pascal" else joined[0].lower() + joined[1:]
    return WORDS[concept].split()[LANGUAGES.index(language)]


def soil(value, label, maker, manner):
    """What real tables are like: gaps, empty strings, placeholders, odd case, spaces at the end."""
    roll = maker.random.random()
    if roll < manner["gaps"]:
        return None
    if roll < manner["gaps"] + manner["placeholders"] and isinstance(value, str):
        return maker.random.choice(["", "N/A", "unknown", "-"])
    if isinstance(value, str) and label and label[1] and label[1][0] in SHOUTED and manner["case"] == "upper":
        return value.upper()
    if isinstance(value, str) and manner["spaces"] and roll > .9:
        return value + " "
    return value


def make_database(path, locale, language, tables, seed, rows):
    """One database; returns its labels."""
    path.unlink(missing_ok=True)
    maker = Maker(locale, seed)
    labels = []
    with sqlite3.connect(path) as base:
        for number, table in enumerate(tables, 1):
            columns = [item.split("=") for item in TABLES[table].split()]
            columns = [(item[0], item[-1]) for item in columns]
            names = [named(concept, language, place) for place, (concept, _) in enumerate(columns, 1)]
            title = f"t{number}" if language == "opaque" else table
            manner = [{"gaps": maker.random.choice([0, 0, .05, .3]), "placeholders": maker.random.choice([0, 0, .03]),
                       "case": maker.random.choice(["as is"] * 5 + ["upper"]), "spaces": maker.random.random() < .15} for _ in columns]
            content = []
            for _ in range(rows):
                maker.next_person()
                values = [getattr(maker, source)() for _, source in columns]
                content.append([soil(value, LABELS.get(source), maker, how)
                                for value, (_, source), how in zip(values, columns, manner)])
            types = ["INTEGER" if isinstance(v, int) else "REAL" if isinstance(v, float) else "TEXT" for v in values]
            inner = ", ".join(f'"{name}" {kind}' for name, kind in zip(names, types))
            base.execute(f'CREATE TABLE "{title}" ({inner})')
            base.executemany(f'INSERT INTO "{title}" VALUES ({", ".join("?" * len(names))})', content)
            for name, (_, source) in zip(names, columns):
                mark, kinds = LABELS.get(source, (CORE, []))
                labels.append({"db": path.name, "table": title, "column": name, "kinds": kinds, "mark": mark})
    return labels


def main():
    directory = Path(sys.argv[1])
    rows = int(sys.argv[2]) if len(sys.argv) > 2 else 400
    only = sys.argv[3] if len(sys.argv) > 3 else ""
    directory.mkdir(parents=True, exist_ok=True)
    labels = []
    for group, (naming, locales) in enumerate(NAMINGS.items()):
        tables = list(TABLES)
        random.Random(group).shuffle(tables)
        for place, (locale, language) in enumerate(locales):
            name = f"{naming}-{locale}.sqlite"
            part = tables[place * 3:place * 3 + 3]
            if name.startswith(only):
                labels += make_database(directory / name, locale, language, part, 100 * group + place, rows)
    (directory / "labels.json").write_text(json.dumps(labels, indent=0, ensure_ascii=False))
    core = [one for one in labels if one["mark"] == CORE]
    print(f"{len({(one['db'], one['table']) for one in labels})} tables, {len(labels)} columns, "
          f"{sum(bool(one['kinds']) for one in core)} of {len(core)} counted ones sensitive")


if __name__ == "__main__":
    main()
