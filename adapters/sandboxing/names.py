"""Family and given names that are common in Québec, for births that never were."""

from __future__ import annotations

from typing import Final

_FAMILY = (
    "Tremblay Gagnon Roy Côté Bouchard Gauthier Morin Lavoie Fortin Gagné Ouellet Pelletier Bélanger Lévesque "
    "Bergeron Leblanc Paquette Girard Simard Boucher Caron Beaulieu Cloutier Dubé Poirier Fournier Lapointe "
    "Leclerc Lefebvre Poulin Thibault St-Pierre Nadeau Martin Landry Martel Bédard Grenier Lessard Bernier "
    "Richard Michaud Hébert Desjardins Couture Turcotte Lachance Parent Blais Gosselin Savard Proulx Beaudoin "
    "Demers Perreault Boudreau Lemieux Cyr Perron Dufour Dion Mercier Bolduc Bérubé Boisvert Langlois Ménard "
    "Therrien Plante Bilodeau Blanchette Dubois Champagne Paradis Fortier Arsenault Dupuis Gaudreault Hamel "
    "Houle Villeneuve Rousseau Gravel Thériault Lemay Allard Deschênes Giroux Guay Leduc Boivin Charbonneau "
    "St-Onge Létourneau Séguin Gélinas Pépin Vézina Noël Émond Grégoire Labbé Nguyen Diallo O'Bomsawin D'Amours "
    "Haddad García Öztürk"
)

_GIVEN = (
    "Émile Léa Félix Zoé Éloïse Théo Chloé Noé Béatrice Raphaël Océane Loïc Maëlle Jérémie Anaïs Gaël Léonie "
    "Étienne Rosalie Édouard Florence Jacob Juliette Arnaud Mélodie Mathéo Coralie Ludovic Clémence Benoît "
    "Marie-Ève Jean-François Anne-Sophie Charles-Étienne Marie-Pier Pierre-Luc Alice William Emma Liam Olivia "
    "Thomas Charlotte Nathan Livia Arthur Jade Henri Mila Victor Flavie Samuel Aïcha Mohamed Inès Amélie Hugo "
    "Maïka Xavier Noémie"
)

FAMILY_NAMES: Final = tuple(_FAMILY.split())
GIVEN_NAMES: Final = tuple(_GIVEN.split())
